#!/usr/bin/python3
"""Writes docs/openapi.yaml: the REST API, as its table of routes and the protos have it.

usage: generate.py [--check]

  --check   writes nothing; says whether docs/openapi.yaml is what it would write

What is said there comes from manager/http/routes.cc (what there is), from the protos (shapes, and
the comments on methods and fields), and from docs/openapi/base.yaml (the rest). Needs protoc,
python3-protobuf and python3-yaml.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml
from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "docs/openapi.yaml"
ROUTE = re.compile(r'^ *\{"(GET|POST|DELETE)", "(/v1/[^"]*)", "([\w.]+)"(?:, "([^"]*)")?\},$', re.MULTILINE)
Field = descriptor_pb2.FieldDescriptorProto
INTEGERS = (Field.TYPE_INT32, Field.TYPE_UINT32, Field.TYPE_SINT32, Field.TYPE_FIXED32, Field.TYPE_SFIXED32)
LONGS = (Field.TYPE_INT64, Field.TYPE_UINT64, Field.TYPE_SINT64, Field.TYPE_FIXED64, Field.TYPE_SFIXED64)
FLOATS = (Field.TYPE_DOUBLE, Field.TYPE_FLOAT)
WELL_KNOWN = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$", "examples": ["3600s"]},
}


def routes():
    """(method, path, rpc, where what was made is), in the order of the table."""
    text = (ROOT / "manager/http/routes.cc").read_text(encoding="utf-8")
    found = ROUTE.findall(text)
    if len(found) != text.count('"hostq.v1.') - len(re.findall(r'^    \{"hostq\.v1\.', text, re.MULTILINE)):
        sys.exit("generate.py: a line of kRoutes in manager/http/routes.cc cannot be read")
    return found


class Protos:
    """All messages, enums and methods of hostq.v1, with their comments."""

    def __init__(self):
        self.messages, self.enums, self.methods, self.comments = {}, {}, {}, {}
        files = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto/hostq/v1").glob("*.proto"))
        with tempfile.NamedTemporaryFile() as out:
            subprocess.run(["protoc", f"-I{ROOT / 'proto'}", "--include_imports", "--include_source_info",
                            f"--descriptor_set_out={out.name}", *files], check=True)
            everything = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
        for file in everything.file:
            self.add_file(file)

    def add_file(self, file):
        said = {}
        for location in file.source_code_info.location:
            said[tuple(location.path)] = tidy(location.leading_comments) or tidy(location.trailing_comments)
        prefix = f".{file.package}"
        for i, message in enumerate(file.message_type):
            self.add_message(prefix, message, (4, i), said)
        for i, enum in enumerate(file.enum_type):
            self.add_enum(prefix, enum, (5, i), said)
        for i, service in enumerate(file.service):
            self.comments[f"{prefix}.{service.name}"] = said.get((6, i), "")
            for j, method in enumerate(service.method):
                name = f"{prefix}.{service.name}.{method.name}"
                self.methods[name] = method
                self.comments[name] = said.get((6, i, 2, j), "")

    def add_message(self, prefix, message, path, said):
        name = f"{prefix}.{message.name}"
        self.messages[name] = message
        self.comments[name] = said.get(path, "")
        for i, field in enumerate(message.field):
            self.comments[f"{name}.{field.name}"] = said.get((*path, 2, i), "")
        for i, inner in enumerate(message.nested_type):
            self.add_message(name, inner, (*path, 3, i), said)
        for i, inner in enumerate(message.enum_type):
            self.add_enum(name, inner, (*path, 4, i), said)

    def add_enum(self, prefix, enum, path, said):
        name = f"{prefix}.{enum.name}"
        self.enums[name] = enum
        self.comments[name] = said.get(path, "")
        for i, value in enumerate(enum.value):
            self.comments[f"{name}.{value.name}"] = said.get((*path, 2, i), "")


def tidy(comment):
    """One paragraph a paragraph."""
    paragraphs = re.split(r"\n\s*\n", comment.strip())
    return "\n\n".join(" ".join(line.strip() for line in one.split("\n")) for one in paragraphs if one)


def json_names(text, message):
    """The comment with the fields called as they are in JSON."""
    for field in message.field:
        if field.name != field.json_name:
            text = re.sub(rf"\b{field.name}\b", field.json_name, text)
    return text


class Schemas:
    """The schemas that the operations refer to, each made when it is first needed."""

    def __init__(self, protos):
        self.protos = protos
        self.made = {}
        self.asked = set()  # what is part of a request: nothing in it has to be there

    def ask(self, name):
        if name in self.asked or name not in self.protos.messages or name in WELL_KNOWN:
            return
        self.asked.add(name)
        for field in self.protos.messages[name].field:
            if field.type == Field.TYPE_MESSAGE:
                self.ask(field.type_name)

    def ref(self, name):
        if name in WELL_KNOWN:
            return dict(WELL_KNOWN[name])
        key = name.removeprefix(".hostq.v1.")
        if key not in self.made:
            self.made[key] = {}  # it may refer to itself
            self.made[key] = self.enum(name) if name in self.protos.enums else self.message(name)
        return {"$ref": f"#/components/schemas/{key}"}

    def enum(self, name):
        enum = self.protos.enums[name]
        lines = [self.protos.comments[name]]
        for value in enum.value:
            comment = self.protos.comments[f"{name}.{value.name}"]
            lines.append(f"- `{value.name}`: {comment}" if comment else f"- `{value.name}`")
        return {"type": "string", "description": "\n".join(line for line in lines if line),
                "enum": [value.name for value in enum.value]}

    def message(self, name):
        message = self.protos.messages[name]
        schema = {"type": "object"}
        if self.protos.comments[name]:
            schema["description"] = json_names(self.protos.comments[name], message)
        schema["properties"] = {field.json_name: self.field(name, field) for field in message.field}
        if name in self.asked:
            schema["additionalProperties"] = False
        else:
            always = [field.json_name for field in message.field if always_there(field)]
            if always:
                schema["required"] = always
        return schema

    def field(self, owner, field):
        message = self.protos.messages[owner]
        comment = json_names(self.protos.comments[f"{owner}.{field.name}"], message)
        if field.HasField("oneof_index") and not field.proto3_optional:
            others = [each.json_name for each in message.field
                      if each.HasField("oneof_index") and each.oneof_index == field.oneof_index and each is not field]
            comment = " ".join(filter(None, [comment, f"Not together with {', '.join(others)}." if len(others) < 5
                                             else f"One of the fields of `{message.oneof_decl[field.oneof_index].name}`."]))
        schema = self.repeated(field) if field.label == Field.LABEL_REPEATED else self.plain(field)
        return {**schema, "description": comment} if comment else schema

    def repeated(self, field):
        entry = self.protos.messages.get(field.type_name)
        if entry is not None and entry.options.map_entry:
            return {"type": "object", "additionalProperties": self.plain(entry.field[1])}
        return {"type": "array", "items": self.plain(field)}

    def plain(self, field):
        if field.type in INTEGERS:
            return {"type": "integer", "format": "int32"}
        if field.type in LONGS:
            return {"type": "string", "format": "int64", "pattern": r"^-?\d+$"}
        if field.type in FLOATS:
            return {"type": "number"}
        if field.type == Field.TYPE_BOOL:
            return {"type": "boolean"}
        if field.type == Field.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        if field.type in (Field.TYPE_MESSAGE, Field.TYPE_ENUM):
            return self.ref(field.type_name)
        return {"type": "string"}


def always_there(field):
    """Whether protobuf's JSON, with defaults, has it in any case."""
    if field.label == Field.LABEL_REPEATED:
        return True
    return field.type != Field.TYPE_MESSAGE and not field.HasField("oneof_index")


def header(name):
    return {"$ref": f"#/components/headers/{name}"}


def parameter(name):
    return {"$ref": f"#/components/parameters/{name}"}


class Operation:
    """One route as OpenAPI has it."""

    def __init__(self, protos, schemas, route, readable):
        self.protos, self.schemas = protos, schemas
        self.http, self.path, rpc, self.made = route
        self.name = f".{rpc}"
        self.method = protos.methods[self.name]
        self.request = protos.messages[self.method.input_type]
        self.in_path = re.findall(r"\{(\w+)\}", self.path)
        # Whether there is something to compare with if-match.
        self.readable = self.path.split(":")[0] in readable and bool(self.in_path)

    def parameters(self):
        out = []
        for field in self.request.field:
            comment = json_names(self.protos.comments[f"{self.method.input_type}.{field.name}"], self.request)
            place = "path" if field.name in self.in_path else "query"
            if place == "query" and (self.http == "POST" or not fits_query(field)):
                continue
            schema = self.schemas.field(self.method.input_type, field)
            schema.pop("description", None)
            one = {"name": field.json_name, "in": place, "schema": schema}
            if place == "path":
                one["required"] = True
            if comment:
                one["description"] = comment
            out.append(one)
        if self.method.server_streaming:
            out.append(parameter("LastEventId"))
        elif self.http == "GET":
            out.append(parameter("IfNoneMatch"))
        elif self.readable:
            out.append(parameter("IfMatch"))
        if self.http == "POST" and any(field.name == "request_id" for field in self.request.field):
            out.append(parameter("IdempotencyKey"))
        out.append(parameter("RequestId"))
        return out

    def body(self):
        fields = {field.json_name: self.schemas.field(self.method.input_type, field)
                  for field in self.request.field if field.name not in self.in_path}
        if self.http != "POST" or not fields:
            return None
        if self.in_path:
            schema = {"type": "object", "properties": fields, "additionalProperties": False}
        else:
            schema = self.schemas.ref(self.method.input_type)
        return {"content": {"application/json": {"schema": schema}}}

    def answers(self):
        ok = {"headers": {"hostq-request-id": header("RequestId")}}
        if self.method.server_streaming:
            ok["description"] = "Server-sent events, without end unless noFollow is set"
            ok["content"] = {"text/event-stream": {"schema": {"$ref": "#/components/schemas/EventStream"}}}
            self.schemas.ref(self.method.output_type)
            return {"200": ok}
        ok["description"] = "Done" if self.http != "GET" else "What was asked for"
        ok["content"] = {"application/json": {"schema": self.schemas.ref(self.method.output_type)}}
        if self.http == "GET":
            ok["headers"]["etag"] = header("ETag")
            return {"200": ok, "304": {"$ref": "#/components/responses/NotModified"}}
        if not self.made:
            return {"200": ok}
        made = {**ok, "description": "Made", "headers": {**ok["headers"], "location": header("Location")}}
        if self.method.name != "CreateCommand":
            return {"201": made}
        again = {**ok, "description": "Nothing was made: the same request was made before (repeated), or validateOnly is set"}
        return {"200": again, "201": made}

    def document(self):
        comment = json_names(self.protos.comments[self.name], self.request)
        service = self.name.rsplit(".", 2)[1]
        out = {"operationId": self.method.name[0].lower() + self.method.name[1:],
               "tags": [service.removesuffix("Service")],
               "summary": summary(comment) or self.method.name}
        if comment:
            out["description"] = comment
        out["parameters"] = self.parameters()
        body = self.body()
        if body is not None:
            out["requestBody"] = body
        answers = self.answers()
        if self.http != "GET" and self.readable:
            answers["412"] = {"$ref": "#/components/responses/PreconditionFailed"}
        answers["default"] = {"$ref": "#/components/responses/Problem"}
        out["responses"] = answers
        return out


def fits_query(field):
    return field.type != Field.TYPE_MESSAGE or field.type_name in WELL_KNOWN


def summary(comment):
    first = re.split(r"(?<=[.:;])\s", comment, maxsplit=1)[0].rstrip(".:;")
    return first if len(first) <= 120 else first[:117].rsplit(" ", 1)[0] + " ..."


def document():
    protos = Protos()
    schemas = Schemas(protos)
    table = routes()
    readable = {path for http, path, _, _ in table if http == "GET"}
    for http, _, rpc, _ in table:
        if http == "POST":
            schemas.ask(protos.methods[f".{rpc}"].input_type)
    out = yaml.safe_load((ROOT / "docs/openapi/base.yaml").read_text(encoding="utf-8"))
    own_paths = out.pop("paths")
    tags, paths = {}, {}
    for route in table:
        operation = Operation(protos, schemas, route, readable)
        paths.setdefault(route[1], {})[route[0].lower()] = operation.document()
        service = operation.name.rsplit(".", 1)[0]
        tags[service.rsplit(".", 1)[1].removesuffix("Service")] = protos.comments[service]
    out["tags"] += [{"name": name, **({"description": text} if text else {})} for name, text in tags.items()]
    out["paths"] = {**paths, **own_paths}
    components = out.pop("components")
    components["schemas"] = {**components["schemas"], **dict(sorted(schemas.made.items()))}
    out["components"] = components
    return out


class Dumper(yaml.SafeDumper):
    """Long texts as blocks, and nothing by reference."""

    def ignore_aliases(self, data):
        return True


def text(dumper, value):
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


Dumper.add_representer(str, text)


def main():
    made = "# Made by docs/openapi/generate.py: change the protos, manager/http/routes.cc or docs/openapi/base.yaml.\n"
    made += yaml.dump(document(), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=118)
    if sys.argv[1:] == ["--check"]:
        if OUT.read_text(encoding="utf-8") != made:
            sys.exit("docs/openapi.yaml is out of date: run docs/openapi/generate.py")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    OUT.write_text(made, encoding="utf-8")


main()
