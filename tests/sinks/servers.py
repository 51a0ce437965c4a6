"""Stand-ins for the servers that get the log. Each keeps the records that it was sent, as JSON."""

import json
import socket
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import msgpack
from envoy_data_plane.envoy.service.accesslog.v3 import StreamAccessLogsMessage
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as otlp


class Sink:
    """Records, in the order in which they came."""

    def __init__(self):
        self.records, self.about = [], []

    def add(self, text, **about):
        self.records.append(json.loads(text))
        self.about.append(about)


class Grpc(Sink):
    """One method of a gRPC service, by its path; requests and answers are bytes."""

    def __init__(self, path, kind):
        super().__init__()
        handlers = {
            "unary": lambda: grpc.unary_unary_rpc_method_handler(self.on_request),
            "stream": lambda: grpc.stream_unary_rpc_method_handler(self.on_stream),
        }
        handler = handlers[kind]()

        class Service(grpc.GenericRpcHandler):
            def service(self, details):
                return handler if details.method == path else None

        self.server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Service()])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def on_stream(self, requests, context):
        for request in requests:
            self.on_request(request, context)
        return b""

    def close(self):
        self.server.stop(0)


def add_otlp(sink, data):
    request = otlp.ExportLogsServiceRequest.FromString(data)
    for resource in request.resource_logs:
        names = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_logs:
            for record in scope.log_records:
                sink.add(record.body.string_value, resource=names, time=record.time_unix_nano)


class OtlpGrpc(Grpc):
    """A collector of OpenTelemetry, by gRPC."""

    def __init__(self):
        path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
        super().__init__(path, "unary")

    def on_request(self, data, _context):
        add_otlp(self, data)
        return otlp.ExportLogsServiceResponse().SerializeToString()


class AccessLogService(Grpc):
    """Envoy's gRPC access-log service."""

    def __init__(self):
        path = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
        super().__init__(path, "stream")
        self.name = None

    def on_request(self, data, _context):
        message = StreamAccessLogsMessage.parse(data)
        if message.identifier:
            self.name = message.identifier.log_name
        for entry in message.http_logs.log_entry:
            status = entry.response.response_code
            self.add(entry.common_properties.custom_tags["portkey"], status=status)


class Served:
    """Something that is asked by HTTP."""

    def serve(self, handler):
        handler.log_message = lambda *_: None
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class OtlpHttp(Served, Sink):
    """A collector of OpenTelemetry, by HTTP."""

    def __init__(self):
        super().__init__()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                assert self.headers["transfer-encoding"] == "chunked"
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                assert (self.path, self.headers["content-type"]) == PLACE
                add_otlp(sink, body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.send_header("connection", "close")
                self.end_headers()

        self.serve(Handler)


PLACE = ("/v1/logs", "application/x-protobuf")


class Fluentd(Sink):
    """A server of the forward protocol."""

    def __init__(self):
        super().__init__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.read, args=[connection], daemon=True).start()

    def read(self, connection):
        unpacker = msgpack.Unpacker()
        while data := connection.recv(65536):
            unpacker.feed(data)
            for tag, entries, *_ in unpacker:
                for time, record in entries:
                    self.add(record["portkey"], tag=tag, time=time)

    def close(self):
        self.listener.close()
