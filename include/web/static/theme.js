// Before anything is painted: whether the page is in Airflow's frame, and in which theme. Airflow keeps the theme that
// was chosen under this key on the same origin.
(() => {
  document.documentElement.classList.toggle("framed", window.parent !== window);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // A browser may forbid it: the system's preference then decides.
    }
    const isDark = chosen === "dark" || (chosen !== "light" && dark.matches);
    document.documentElement.classList.toggle("dark", isDark);
  };
  apply();
  dark.addEventListener("change", apply);
  window.addEventListener("storage", (event) => {
    if (event.key === "theme" || event.key === null) apply();
  });
})();
