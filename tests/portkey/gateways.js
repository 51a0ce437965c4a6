// Both gateways as processes: started on free loopback ports, stopped by their process id.

import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, "../..");
const TARGET = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, "target");

// Milliseconds until a gateway answers.
const START = 30_000;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A process that listens on a port. */
class Gateway {
  constructor(name, port, directory, command, args, env) {
    this.name = name;
    this.url = `http://127.0.0.1:${port}`;
    this.directory = directory;
    this.output = path.join(directory, "output");
    const output = openSync(this.output, "w");
    const stdio = ["ignore", output, output];
    this.process = spawn(command, args, { cwd: directory, stdio, env });
    this.ended = new Promise((resolve) => this.process.once("exit", resolve));
  }

  async ready() {
    const deadline = Date.now() + START;
    while (Date.now() < deadline && this.process.exitCode === null) {
      try {
        const response = await fetch(`${this.url}/`);
        await response.arrayBuffer();
        if (response.ok) return this;
      } catch {
        // It does not listen yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const output = readFileSync(this.output, "utf8");
    await this.stop();
    throw new Error(`${this.name} did not start:\n${output}`);
  }

  async stop() {
    if (this.process.exitCode === null) this.process.kill("SIGTERM");
    await this.ended;
    rmSync(this.directory, { recursive: true });
  }
}

/** Portkey's own gateway. */
export async function startPortkey() {
  const port = await freePort();
  const directory = mkdtempSync(path.join(tmpdir(), "portkey-"));
  const script = path.join(HERE, "node_modules/@portkey-ai/gateway/build/start-server.js");
  const guard = path.join(HERE, "loopback.cjs");
  const args = ["--require", guard, script, "--headless", `--port=${port}`];
  return new Gateway("Portkey", port, directory, process.execPath, args, process.env).ready();
}

/** This gateway, in Envoy; `upstreamPort` is where custom hosts may lead. */
export async function startOurs(upstreamPort) {
  const [port, admin] = [await freePort(), await freePort()];
  const directory = mkdtempSync(path.join(tmpdir(), "portkey-envoy-"));
  const config = path.join(directory, "gateway.yaml");
  const settings = {
    listen: `127.0.0.1:${port}`,
    admin: `127.0.0.1:${admin}`,
    concurrency: 1,
    custom_hosts: [{ host: `127.0.0.1:${upstreamPort}`, private: true }],
  };
  // JSON is YAML, too.
  writeFileSync(config, JSON.stringify(settings));
  const tool = process.env.PORTKEY_ENVOY ?? path.join(TARGET, "debug/portkey-envoy");
  const envoy = process.env.ENVOY ?? path.join(ROOT, ".venv/bin/envoy");
  const wasm =
    process.env.PORTKEY_ENVOY_WASM ??
    path.join(TARGET, "wasm32-wasip1/release/portkey_envoy.wasm");
  const args = ["run", "--config", config, "--envoy", envoy, "--wasm", wasm];
  return new Gateway("portkey-envoy", port, directory, tool, args, process.env).ready();
}
