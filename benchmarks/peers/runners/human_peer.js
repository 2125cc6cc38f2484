// human with its face models, as its README uses it; every frame alone, nothing remembered.

"use strict";

const { readFileSync } = require("fs");
const { run, need, file } = require("./protocol.js");

// node's fetch reads no files
const fetched = globalThis.fetch;
globalThis.fetch = async (url, ...more) =>
  String(url).startsWith("file:")
    ? new Response(readFileSync(new URL(url)), {
        headers: { "content-type": String(url).endsWith(".json") ? "application/json" : "application/octet-stream" },
      })
    : fetched(url, ...more);

need("@tensorflow/tfjs");
need("@tensorflow/tfjs-backend-wasm").setThreadsCount(1);
const { Human } = need("@vladmandic/human/dist/human.node-wasm.js");

// user's lines: begin
const off = { enabled: false };
const human = new Human({
  backend: "wasm",
  wasmPath: file("@tensorflow/tfjs-backend-wasm", "dist") + "/",
  modelBasePath: `file://${file("@vladmandic/human", "models")}/`,
  cacheSensitivity: 0,
  face: { detector: { maxDetected: 10 }, iris: off, emotion: off, antispoof: off, liveness: off },
  body: off,
  hand: off,
  object: off,
  gesture: off,
});

async function look({ height, width, pixels }) {
  const tensor = human.tf.tensor3d(pixels, [height, width, 3], "int32");
  const result = await human.detect(tensor);
  human.tf.dispose(tensor);
  return result.face.filter((face) => face.embedding).map((face) => face.embedding);
}

const alike = (face, known) => human.match.find(face, known).similarity;
// user's lines: end

human.load().then(() => run(look, alike));
