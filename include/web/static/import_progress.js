// Keeps the page of an import up to date until it is over.
const page = document.getElementById("import");
const sentence = document.getElementById("import-sentence");
const bar = document.getElementById("import-bar");
const run = document.getElementById("import-run");
const MOMENT = 1500;
const LATE = Date.now() + 60_000;
const LOST = "The page cannot reach Airflow right now, and tries again. The import does not depend on this page.";

function say(words) {
  // Only what is new is read out.
  if (sentence.textContent !== words) sentence.textContent = words;
}

function show(progress) {
  page.dataset.state = progress.state;
  if (progress.state === "waiting" && Date.now() > LATE) page.dataset.late = "yes";
  say(progress.sentence);
  bar.max = progress.steps;
  bar.value = progress.finished;
  run.hidden = !progress.run_url;
  if (progress.run_url) run.href = progress.run_url;
  for (const { entity, records, state } of progress.entities) {
    const [, count, word] = page.querySelector(`[data-entity="${entity}"]`).children;
    count.textContent = records.toLocaleString("en");
    word.textContent = state;
  }
}

async function follow() {
  if (page.dataset.state === "done") return;
  try {
    const answer = await fetch(page.dataset.progress, { headers: { Accept: "application/json" } });
    if (answer.status === 401) return window.location.reload();
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
  } catch {
    say(LOST);
  }
  setTimeout(follow, MOMENT);
}

setTimeout(follow, MOMENT);
