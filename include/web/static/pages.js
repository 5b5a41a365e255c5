// What pages may use by data attributes. Everything works without it, but for what is said below.
const isFramed = window.parent !== window;

/** Let the whole window go somewhere: Airflow's frame may not lead it, but a link in Airflow's own page may. */
export function leaveFrame(url) {
  if (!isFramed) {
    window.location.assign(url);
    return;
  }
  const link = window.parent.document.createElement("a");
  link.href = new URL(url, window.location.href).href;
  window.parent.document.body.append(link);
  link.click();
  link.remove();
}

// <a class="leave-frame">: a page of Airflow's, or of another site.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.leave-frame");
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (!link || !isPlain || !isFramed) return;
  event.preventDefault();
  leaveFrame(link.href);
});

// <form data-confirm="id">: ask in the <dialog> of that id first; its submit button has the value "confirm".
document.addEventListener("submit", (event) => {
  const form = event.target;
  const dialog = document.getElementById(form.dataset.confirm ?? "");
  if (!dialog || form.dataset.confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  dialog.returnValue = "";
  dialog.addEventListener(
    "close",
    () => {
      if (dialog.returnValue !== "confirm") return;
      form.dataset.confirmed = "yes";
      form.requestSubmit(event.submitter);
    },
    { once: true },
  );
  dialog.showModal();
});

// A second click would only send the same again.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  const buttons = event.target.querySelectorAll("button");
  setTimeout(() => buttons.forEach((button) => (button.disabled = true)));
});

// The browser keeps a page as it was left: its buttons work again when somebody comes back to it.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});

// <form data-leave-frame>: in the frame, its answer is asked for as {"location": url}, and the window goes there.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || !isFramed || !("leaveFrame" in form.dataset)) return;
  event.preventDefault();
  const { location, detail } = await askForLocation(form, new FormData(form, event.submitter));
  if (location) leaveFrame(location);
  else showFailure(form, detail);
});

async function askForLocation(form, fields) {
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { Accept: "application/json" },
    });
    return await answer.json();
  } catch {
    return { detail: "Airflow does not answer: try again in a minute." };
  }
}

function showFailure(form, sentence) {
  const notice = document.createElement("p");
  notice.className = "notice notice-danger";
  notice.setAttribute("role", "alert");
  notice.textContent = sentence;
  form.before(notice);
  form.querySelectorAll("button").forEach((button) => (button.disabled = false));
}
