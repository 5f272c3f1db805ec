"use strict";
// A comfort only: without it everything is there, and the filter by state works.
(() => {
  const byId = (name) => document.getElementById(name);
  const find = byId("find");
  if (!find) return;
  const named = [...document.querySelectorAll("[data-name]")];
  const rows = named.filter((one) => one.tagName === "TR");
  const hosts = named.filter((one) => one.tagName === "DETAILS");
  const found = byId("found"), unfold = byId("unfold");

  const chosen = () => document.querySelector("input[name=only]:checked").id.slice("only-".length);
  const tell = () => {
    const state = chosen();
    const shown = rows.filter((row) => !row.hidden && (state === "all" || row.dataset.state === state)).length;
    found.textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
  };
  const search = () => {
    const words = find.value.trim().toLowerCase().split(/\s+/);
    for (const one of named) {
      const name = one.dataset.name.toLowerCase();
      one.hidden = !words.every((word) => name.includes(word));
    }
    tell();
  };
  const openTarget = () => {
    const target = location.hash.startsWith("#host-") && byId(location.hash.slice(1));
    if (!target) return;
    target.closest("details").open = true;
    target.closest("details").scrollIntoView();
  };

  find.addEventListener("input", search);
  for (const one of document.querySelectorAll("input[name=only]")) one.addEventListener("change", tell);
  unfold.addEventListener("click", () => {
    const open = hosts.some((one) => !one.open);
    for (const one of hosts) one.open = open;
    unfold.textContent = open ? "Close all" : "Open all";
  });
  addEventListener("hashchange", openTarget);
  byId("tools").hidden = rows.length < 2;
  if (hosts.every((one) => one.open)) unfold.textContent = "Close all";
  search();
  openTarget();
})();
