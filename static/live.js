// Live progress. The server renders the region; this module keeps it fresh:
// numbers come as server-sent events, and when a job's state changes the region is fetched again.

const WINDOW_MS = 6000;
const SPARK_POINTS = 60;
const histories = new Map(); // job id -> { samples: [{at, bytes}], rates: [] }
const announcer = document.getElementById("announce");
let source = null;
let openedFor = "";
let refreshing = null;

function region() {
  return document.querySelector("[data-live]");
}

function sizeText(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let i = 0;
  while (bytes >= 1024 && i < units.length - 1) {
    bytes /= 1024;
    i += 1;
  }
  const digits = i === 0 || bytes >= 100 ? 0 : bytes >= 10 ? 1 : 2;
  return `${bytes.toFixed(digits)} ${units[i]}`;
}

function sample(id, bytes) {
  const at = performance.now();
  const history = histories.get(id) ?? { samples: [], rates: [] };
  histories.set(id, history);
  const last = history.samples.at(-1);
  if (last && bytes < last.bytes) history.samples = []; // a new attempt starts from zero
  history.samples.push({ at, bytes });
  while (history.samples.length > 2 && at - history.samples[0].at > WINDOW_MS) history.samples.shift();
  const first = history.samples[0];
  const seconds = (at - first.at) / 1000;
  if (seconds < 0.2) return history.rates.at(-1) ?? null;
  const rate = (bytes - first.bytes) / seconds;
  history.rates.push(rate);
  if (history.rates.length > SPARK_POINTS) history.rates.shift();
  return rate;
}

function draw(svg, rates) {
  if (rates.length < 2) return;
  const top = Math.max(...rates, 1);
  const step = 240 / Math.max(rates.length - 1, 12);
  const start = 240 - (rates.length - 1) * step;
  const points = rates.map((rate, i) => `${(start + i * step).toFixed(1)},${(54 - (rate / top) * 50).toFixed(1)}`);
  svg.querySelector(".line").setAttribute("points", points.join(" "));
  svg.querySelector(".area").setAttribute("points", `${start.toFixed(1)},56 ${points.join(" ")} 240,56`);
}

function show(job) {
  const rate = job.state === "running" ? sample(job.id, job.bytes) : null;
  for (const box of document.querySelectorAll(`[data-job="${CSS.escape(job.id)}"]`)) {
    const put = (field, text) => {
      const spot = box.querySelector(`[data-field="${field}"]`);
      if (spot && spot.textContent !== text) spot.textContent = text;
    };
    put("bytes", sizeText(job.bytes));
    put("files", job.files.toLocaleString("en"));
    if (job.phase) put("phase", job.phase);
    if (rate !== null) put("rate", `${sizeText(rate)}/s`);
    const bar = box.querySelector("progress");
    if (bar && job.total_bytes) {
      bar.max = job.total_bytes;
      bar.value = Math.min(job.bytes, job.total_bytes);
    }
    const spark = box.querySelector("svg[data-spark]");
    if (spark) draw(spark, histories.get(job.id)?.rates ?? []);
  }
}

async function refresh(announcement) {
  if (refreshing) return refreshing.then(() => refresh(announcement));
  refreshing = (async () => {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
    if (answer.redirected || !answer.ok) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    const old = region();
    if (!fresh || !old) return location.reload();
    const typing = old.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
    if (typing) return undefined; // never take a form away from somebody who fills it in
    const focus = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceWith(document.adoptNode(fresh));
    if (focus) document.getElementById(focus)?.focus();
    document.dispatchEvent(new CustomEvent("xvault:fresh"));
    if (announcement && announcer) announcer.textContent = announcement;
    connect();
    return undefined;
  })().finally(() => {
    refreshing = null;
  });
  return refreshing;
}

function connect() {
  const address = region()?.dataset.live ?? "";
  if (address === openedFor && source && source.readyState !== EventSource.CLOSED) return;
  source?.close();
  openedFor = address;
  if (!address) return;
  source = new EventSource(address);
  source.addEventListener("progress", (event) => show(JSON.parse(event.data)));
  source.addEventListener("changed", (event) => {
    const job = JSON.parse(event.data);
    refresh(job.announcement).catch(() => setTimeout(() => refresh(), 3000));
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => refresh().catch(connect), 5000);
  });
}

// Running clocks.
setInterval(() => {
  for (const spot of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(spot.dataset.since)) / 1000));
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    spot.textContent =
      parts[0] > 0 ? `${parts[0]} h ${parts[1]} min` : parts[1] > 0 ? `${parts[1]} min ${parts[2]} s` : `${parts[2]} s`;
  }
}, 1000);

addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => {
  if (event.persisted) refresh().catch(connect);
});
connect();
