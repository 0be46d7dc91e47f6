// pg-boss and graphile-worker through the same measurements as ours:
//   node peers.mjs PEER DATABASE_URL PROCESSES JOBS LATENCY_SAMPLES HISTORY
// prints one line of JSON. Worker processes are children of this one; all clocks are CLOCK_MONOTONIC.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import PgBoss from "pg-boss";
import { makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";

const AT_ONCE = 8;
const PRODUCERS = 4;
const QUEUE = "noop";
const [peer, url, processes, jobs, samples, history] = process.argv.slice(2);

const peers = {
  "graphile-worker": {
    async prepare() {
      const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: PRODUCERS });
      await utils.migrate();
      // It deletes what is done: there is no history.
      return { add: (n) => utils.addJob(QUEUE, { n }), end: () => utils.release() };
    },
    async work(handler) {
      await run({
        connectionString: url,
        concurrency: AT_ONCE,
        maxPoolSize: AT_ONCE + 2,
        noHandleSignals: true,
        taskList: { [QUEUE]: async ({ n }) => handler(n) },
      });
    },
  },
  "pg-boss": {
    async prepare() {
      const boss = new PgBoss({ connectionString: url, max: PRODUCERS });
      boss.on("error", () => {});
      await boss.start();
      await boss.createQueue(QUEUE);
      if (Number(history) > 0) {
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        await client.query(
          `insert into pgboss.job (name, state, created_on, started_on, completed_on)
           select $1, 'completed', now(), now(), now() from generate_series(1, $2::int)`,
          [QUEUE, history],
        );
        await client.query("vacuum analyze pgboss.job");
        await client.end();
      }
      return { add: (n) => boss.send(QUEUE, { n }), end: () => boss.stop({ graceful: false, wait: false }) };
    },
    async work(handler, forLatency) {
      const boss = new PgBoss({ connectionString: url, max: AT_ONCE });
      boss.on("error", () => {});
      await boss.start();
      // Its defaults for the latency; for the pace, its shortest polling and large batches.
      const options = forLatency ? {} : { pollingIntervalSeconds: 0.5, batchSize: 500 };
      await boss.work(QUEUE, options, async (batch) => batch.forEach((job) => handler(job.data.n)));
    },
  },
};

async function child() {
  let done = 0;
  const forLatency = process.env.BENCH_LATENCY === "1";
  await peers[peer].work((n) => {
    if (forLatency) process.send({ began: n, at: String(process.hrtime.bigint()) });
    else done += 1;
  }, forLatency);
  setInterval(() => {
    if (done > 0) process.send({ done });
    done = 0;
  }, 10);
  process.send({ ready: true });
}

async function withWorkers(count, forLatency, hear, body) {
  const env = { ...process.env, BENCH_CHILD: "1", BENCH_LATENCY: forLatency ? "1" : "0" };
  const self = fileURLToPath(import.meta.url);
  const workers = Array.from({ length: count }, () => fork(self, process.argv.slice(2), { env }));
  await Promise.all(workers.map((w) => new Promise((ready) => w.once("message", ready))));
  workers.forEach((w) => w.on("message", hear));
  // Let them settle: an idle queue.
  await new Promise((r) => setTimeout(r, 1000));
  const result = await body();
  workers.forEach((w) => w.kill("SIGKILL"));
  return result;
}

async function main() {
  const producer = await peers[peer].prepare();
  const total = Number(jobs);
  let finished = 0;
  const pace = await withWorkers(Number(processes), false, (m) => (finished += m.done ?? 0), async () => {
    const began = process.hrtime.bigint();
    let next = 0;
    const produce = async () => {
      while (next < total) await producer.add(next++);
    };
    await Promise.all(Array.from({ length: PRODUCERS }, produce));
    while (finished < total) await new Promise((r) => setTimeout(r, 10));
    return total / (Number(process.hrtime.bigint() - began) / 1e9);
  });
  const latencies = [];
  let heard = () => {};
  if (Number(samples) > 0) {
    await withWorkers(1, true, (m) => m.began !== undefined && heard(BigInt(m.at)), async () => {
      for (let n = 0; n < Number(samples); n++) {
        const began = new Promise((resolve) => (heard = resolve));
        await producer.add(n);
        const committed = process.hrtime.bigint();
        latencies.push(Math.max(0, Number((await began) - committed)) / 1e6);
        await new Promise((r) => setTimeout(r, 20 + Math.random() * 80));
      }
    });
  }
  console.log(JSON.stringify({ pace, latencies }));
  await producer.end();
  process.exit(0);
}

await (process.env.BENCH_CHILD ? child() : main());
