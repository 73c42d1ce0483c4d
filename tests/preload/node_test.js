// Prints digests of what node makes of fixed data in workers, in its thread pool and in children.
'use strict';
const { createHash, pbkdf2, scrypt, generateKeyPairSync } = require('crypto');
const { execFileSync, spawn } = require('child_process');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const fs = require('fs');
const { promisify } = require('util');
const zlib = require('zlib');

const digest = (data) => createHash('sha1').update(data).digest('hex');

function churn(seed) {
  const map = new Map();
  for (let i = 0; i < 100000; i++) {
    const key = (i * 2654435761 + seed) % 20011;
    if (i % 5 === 0) map.delete(key);
    else map.set(key, { key, text: String(i).repeat(i % 20), buffer: Buffer.alloc(i % 700, i) });
  }
  const hash = createHash('sha1');
  for (const { key, text, buffer } of map.values()) hash.update(key + text).update(buffer);
  return hash.digest('hex');
}

if (!isMainThread) {
  parentPort.postMessage(churn(workerData));
  return;
}

const worker = (seed) => new Promise((resolve, reject) => {
  new Worker(__filename, { workerData: seed }).once('message', resolve).once('error', reject);
});

async function main() {
  console.log('main', churn(0));
  for (let round = 0; round < 2; round++) {
    console.log('workers', await Promise.all([1, 2, 3, 4].map(worker)));
  }

  const tree = Array.from({ length: 20000 }, (_, i) => ({ id: i, tags: ['x'.repeat(i % 30), i], deep: { i } }));
  const json = JSON.stringify(tree);
  console.log('json', digest(JSON.stringify(JSON.parse(json))));

  const deflate = promisify(zlib.deflate);
  const brotli = promisify(zlib.brotliCompress);
  const packed = await Promise.all([1, 5, 9].map((level) => deflate(json, { level })));
  console.log('deflate', packed.map((p) => zlib.inflateSync(p).equals(Buffer.from(json))));
  const squeezed = await brotli(json, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } });
  console.log('brotli', zlib.brotliDecompressSync(squeezed).length);
  const keys = await Promise.all([
    promisify(pbkdf2)('password', 'salt', 20000, 32, 'sha256'),
    promisify(scrypt)('password', 'salt', 32),
  ]);
  console.log('keys', keys.map((k) => k.toString('hex')));
  console.log('rsa', generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.asymmetricKeyType);

  const files = Array.from({ length: 200 }, (_, i) => `file${i}`);
  await Promise.all(files.map((f, i) => fs.promises.writeFile(f, json.slice(0, i * 1000))));
  const read = await Promise.all(files.map((f) => fs.promises.readFile(f)));
  console.log('files', digest(Buffer.concat(read)));

  console.log('child', execFileSync(process.execPath, ['-p', '"x".repeat(1e6).length']).toString().trim());
  const cat = spawn('cat');
  const echoed = createHash('sha1');
  cat.stdout.on('data', (d) => echoed.update(d));
  cat.stdin.end(json);
  console.log('cat', await new Promise((resolve) => cat.on('close', resolve)), echoed.digest('hex'));

  const big = new SharedArrayBuffer(32 << 20);
  console.log('regexp', json.match(/"i":\d*7}/g).length, new Uint8Array(big).fill(1).length);
}

main();
