// Loaded before Portkey's gateway, which listens on all interfaces: it gets loopback alone, and
// nothing that it sends leaves this machine, not even a look-up of a name.
"use strict";

const dns = require("node:dns");
const net = require("node:net");

const HOST = "127.0.0.1";

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const [first] = given;
  const callback = given.find((one) => typeof one === "function");
  const port = typeof first === "object" && first !== null ? first.port : first;
  return listen.call(this, { port: Number(port), host: HOST }, callback);
};

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...given) {
  const [options] = Array.isArray(given[0]) ? given[0] : given;
  const host = typeof options === "object" ? options.host : given[1];
  if (host !== HOST && host !== "localhost") {
    throw new Error(`a connection to ${host} is not allowed`);
  }
  return connect.apply(this, given);
};

const refuse = (name, ...rest) => {
  rest.at(-1)(new Error(`a look-up of ${name} is not allowed`));
};
dns.lookup = (name, ...rest) =>
  name === HOST || name === "localhost"
    ? process.nextTick(rest.at(-1), null, rest[0]?.all ? [{ address: HOST, family: 4 }] : HOST, 4)
    : refuse(name, ...rest);
for (const kind of ["resolve", "resolve4", "resolve6"]) {
  dns[kind] = refuse;
}
