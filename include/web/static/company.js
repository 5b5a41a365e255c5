// A run that was just started: say how it gets on until it is over, then show what it changed.
const POLL_MILLISECONDS = 1000;
const WAITING = { queued: "is waiting for its turn", running: "is running" };
const OVER = { success: "is done.", failed: "has failed: the run's log says why." };
const KINDS = { success: "notice-success", failed: "notice-danger" };

const notice = document.querySelector("[data-run-state]");
if (notice) follow(notice);

async function follow(notice) {
  const words = notice.dataset.runWords;
  for (;;) {
    const state = await readState(notice.dataset.runState);
    if (state === null) return;
    if (state in OVER) {
      say(notice, `${words} ${OVER[state]}`);
      notice.classList.replace("notice-info", KINDS[state]);
      await showAnew();
      return;
    }
    say(notice, `${words} ${WAITING[state] ?? `is ${state}`}…`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
}

/** Return the run's state as Airflow tells it, or null where Airflow does not. */
async function readState(url) {
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    return answer.ok ? (await answer.json()).state : null;
  } catch {
    return "running"; // a moment without an answer
  }
}

/** Say something once: what is read aloud is not to be read again each second. */
function say(notice, sentence) {
  const place = notice.querySelector("[data-run-sentence]");
  if (place.textContent !== sentence) place.textContent = sentence;
}

/** Replace the parts of the page that a run may have changed, without moving the reader. */
async function showAnew() {
  const answer = await fetch(window.location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const replacement = fresh.getElementById(part.id);
    if (replacement && !part.contains(document.activeElement)) part.replaceWith(replacement);
  }
}
