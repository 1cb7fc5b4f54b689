#pragma once

#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "manager/store/sqlite/sqlite_store.h"
#include "manager/store/store.h"
#include "tests/testing/memory_store.h"

namespace hostq::manager {

// A place for a database that can be opened again.
class Place {
 public:
  virtual ~Place() = default;
  virtual absl::StatusOr<std::unique_ptr<Store>> Open() = 0;
};

class SqlitePlace final : public Place {
 public:
  SqlitePlace() {
    char path[] = "/tmp/hostq-store-test.XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~SqlitePlace() override { std::filesystem::remove_all(directory_); }
  absl::StatusOr<std::unique_ptr<Store>> Open() override {
    absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(path());
    if (!store.ok()) return store.status();
    return std::unique_ptr<Store>(*std::move(store));
  }
  std::string path() const { return directory_ + "/hostq.db"; }

 private:
  std::string directory_;
};

class MemoryPlace final : public Place {
 public:
  absl::StatusOr<std::unique_ptr<Store>> Open() override {
    return std::unique_ptr<Store>(std::make_unique<MemoryStore>(database_));
  }

 private:
  MemoryDatabase database_;
};

using PlaceFactory = std::function<std::unique_ptr<Place>()>;

}  // namespace hostq::manager
