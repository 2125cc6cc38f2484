// What runners in JavaScript share: frames from standard input, answers into answer.json.
//
// node RUNNER task.json OUT NODE_MODULES: each frame comes as a line "MEDIUM HEIGHT WIDTH CLIP" and
// HEIGHT x WIDTH x 3 bytes of RGB. See protocol.py for what scores are.

"use strict";

const fs = require("fs");
const path = require("path");

const [, , taskFile, out, modules] = process.argv;

// A package of the peer's environment: its module, or the path of one of its files.
const need = (name) => require(path.join(modules, name));
const file = (...parts) => path.join(modules, ...parts);

async function* frames() {
  let held = Buffer.alloc(0);
  let head = null;
  for await (const chunk of process.stdin) {
    held = held.length ? Buffer.concat([held, chunk]) : chunk;
    for (;;) {
      if (head === null) {
        const end = held.indexOf(10);
        if (end < 0) break;
        const [medium, height, width, clip] = held.toString("latin1", 0, end).split(" ").map(Number);
        head = { medium, height, width, clip, bytes: height * width * 3 };
        held = held.subarray(end + 1);
      }
      if (held.length < head.bytes) break;
      yield { ...head, pixels: new Uint8Array(held.subarray(0, head.bytes)) };
      held = held.subarray(head.bytes);
      head = null;
    }
  }
}

const spentMs = (since) => {
  const used = process.cpuUsage(since);
  return (used.user + used.system) / 1000;
};

// The most memory that this program held; what getrusage says may be of its parent.
function peakMib() {
  try {
    return Number(fs.readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s*(\d+)/)[1]) / 1024;
  } catch {
    return null;
  }
}

// look: of {height, width, pixels} to a list of descriptors. alike: of a descriptor and the enrolled
// ones to a score, larger is more alike.
async function run(look, alike) {
  const task = JSON.parse(fs.readFileSync(taskFile, "utf8"));
  const rows = [];
  const media = [];
  let clipFrames = 0;
  let clipMs = 0;
  for await (const frame of frames()) {
    const began = process.cpuUsage();
    rows.push(await look(frame));
    media.push(frame.medium);
    if (frame.clip) {
      clipFrames += 1;
      clipMs += spentMs(began);
    }
  }
  const scores = task.enrolments.map((enrolled) => {
    const own = rows.filter((faces, k) => enrolled.includes(media[k]) && faces.length);
    const known = own.map((faces) => faces[0]);
    const best = (faces) => Math.max(...faces.map((face) => alike(face, known)));
    return rows.map((faces) => (known.length && faces.length ? best(faces) : null));
  });
  const facts = {
    clip_frames: clipFrames,
    judge_ms: clipMs / Math.max(1, clipFrames),
    peak_mib: peakMib(),
  };
  fs.writeFileSync(path.join(out, "answer.json"), JSON.stringify({ scores, media, facts }));
}

module.exports = { run, need, file };
