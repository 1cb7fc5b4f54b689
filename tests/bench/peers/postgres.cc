// PostgreSQL as a queue: FOR UPDATE SKIP LOCKED, partial indexes, time-ordered keys.
#include <libpq-fe.h>
#include <unistd.h>

#include <cstring>

#include "queue.h"

namespace hostq::bench {
namespace {

class Result {
 public:
  Result(PGconn* connection, PGresult* result) : result_(result) {
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      Die(std::string("postgres: ") + PQerrorMessage(connection));
    }
  }
  ~Result() { PQclear(result_); }
  PGresult* operator*() const { return result_; }

 private:
  PGresult* result_;
};

class Connection {
 public:
  explicit Connection(int port)
      : connection_(PQconnectdb(
            ("host=127.0.0.1 user=postgres dbname=postgres port=" + std::to_string(port))
                .c_str())) {
    if (PQstatus(connection_) != CONNECTION_OK) Die(PQerrorMessage(connection_));
  }
  ~Connection() { PQfinish(connection_); }
  void Execute(const std::string& sql) { Result(connection_, PQexec(connection_, sql.c_str())); }
  void Prepare(const char* name, const std::string& sql) {
    Result(connection_, PQprepare(connection_, name, sql.c_str(), 0, nullptr));
  }
  PGconn* operator*() const { return connection_; }

 private:
  PGconn* connection_;
};

class PostgresProducer final : public Producer {
 public:
  PostgresProducer(int port, int submitted) : connection_(port) {
    connection_.Prepare("insert",
                        "INSERT INTO job(payload) SELECT $1::bytea FROM generate_series(1," +
                            std::to_string(submitted) + ") RETURNING id");
  }
  void Submit(const std::string& payload, int /*count*/) override {
    const char* value = payload.data();
    const int length = static_cast<int>(payload.size()), binary = 1;
    const Result inserted(*connection_,
                          PQexecPrepared(*connection_, "insert", 1, &value, &length, &binary, 0));
  }

 private:
  Connection connection_;
};

class PostgresConsumer final : public Consumer {
 public:
  PostgresConsumer(int port, int batch) : connection_(port) {
    connection_.Prepare(
        "take",
        "UPDATE job SET state=1, lease=now()+interval '60 s' WHERE id IN (SELECT id "
        "FROM job WHERE state=0 ORDER BY id FOR UPDATE SKIP LOCKED LIMIT " +
            std::to_string(batch) + ") RETURNING id, payload");
    connection_.Prepare("done", "UPDATE job SET state=2, result='ok' WHERE id=ANY($1::bigint[])");
  }
  std::vector<Job> Take(int /*count*/) override {
    const Result taken(*connection_,
                       PQexecPrepared(*connection_, "take", 0, nullptr, nullptr, nullptr, 1));
    std::vector<Job> jobs;
    for (int i = 0; i < PQntuples(*taken); ++i) {
      uint64_t id = 0;
      memcpy(&id, PQgetvalue(*taken, i, 0), sizeof id);
      jobs.push_back({__builtin_bswap64(id), "",
                      std::string(PQgetvalue(*taken, i, 1), PQgetlength(*taken, i, 1))});
    }
    if (jobs.empty()) usleep(1000);
    return jobs;
  }
  void Done(const std::vector<Job>& jobs) override {
    std::string ids = "{";
    for (const Job& job : jobs) ids += (ids.size() > 1 ? "," : "") + std::to_string(job.id);
    ids += "}";
    const char* value = ids.c_str();
    const Result done(*connection_,
                      PQexecPrepared(*connection_, "done", 1, &value, nullptr, nullptr, 0));
  }

 private:
  Connection connection_;
};

class PostgresQueue final : public Queue {
 public:
  PostgresQueue(int port, int batch, int submitted)
      : port_(port), batch_(batch), submitted_(submitted) {
    Connection connection(port);
    connection.Execute("DROP TABLE IF EXISTS job");
    connection.Execute(
        "CREATE TABLE job(id bigserial PRIMARY KEY, state int NOT NULL DEFAULT 0, lease "
        "timestamptz, "
        "payload bytea, result bytea) WITH (fillfactor=70, autovacuum_vacuum_scale_factor=0.05)");
    connection.Execute("CREATE INDEX ON job(id) WHERE state=0");
    connection.Execute("CREATE INDEX ON job(lease) WHERE state=1");
    connection.Execute("CHECKPOINT");
  }
  std::unique_ptr<Producer> MakeProducer() override {
    return std::make_unique<PostgresProducer>(port_, submitted_);
  }
  std::unique_ptr<Consumer> MakeConsumer() override {
    return std::make_unique<PostgresConsumer>(port_, batch_);
  }

 private:
  const int port_, batch_, submitted_;
};

}  // namespace

std::unique_ptr<Queue> MakePostgres(int port, int batch, int submitted) {
  return std::make_unique<PostgresQueue>(port, batch, submitted);
}

}  // namespace hostq::bench
