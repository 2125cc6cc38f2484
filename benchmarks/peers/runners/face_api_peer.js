// face-api with its SSD detector, landmarks and descriptors, as its README uses it.

"use strict";

const { run, need, file } = require("./protocol.js");

const tf = need("@tensorflow/tfjs");
const wasm = need("@tensorflow/tfjs-backend-wasm");
const faceapi = need("@vladmandic/face-api/dist/face-api.node-wasm.js");

// user's lines: begin
async function load() {
  wasm.setThreadsCount(1);
  wasm.setWasmPaths(file("@tensorflow/tfjs-backend-wasm", "dist") + "/");
  await tf.setBackend("wasm");
  await tf.ready();
  const models = file("@vladmandic/face-api", "model");
  await faceapi.nets.ssdMobilenetv1.loadFromDisk(models);
  await faceapi.nets.faceLandmark68Net.loadFromDisk(models);
  await faceapi.nets.faceRecognitionNet.loadFromDisk(models);
}

async function look({ height, width, pixels }) {
  const tensor = tf.tensor3d(pixels, [height, width, 3], "int32");
  const faces = await faceapi.detectAllFaces(tensor).withFaceLandmarks().withFaceDescriptors();
  tf.dispose(tensor);
  return faces.map((face) => face.descriptor);
}

function alike(face, known) {
  const me = new faceapi.LabeledFaceDescriptors("me", known);
  return -new faceapi.FaceMatcher(me).matchDescriptor(face).distance;
}
// user's lines: end

load().then(() => run(look, alike));
