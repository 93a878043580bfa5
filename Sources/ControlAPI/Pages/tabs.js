// What arrives and the history take the same place: one of them is shown.

import { catchUp } from "./log.js";
import { $ } from "./parts.js";

const NAMES = ["live", "history"];

export function startTabs() {
  for (const name of NAMES) {
    const tab = $(name + "-tab");
    tab.addEventListener("click", () => showTab(name));
    tab.addEventListener("keydown", ({ key }) => {
      if (key !== "ArrowLeft" && key !== "ArrowRight") return;
      const other = NAMES.find((each) => each !== name);
      showTab(other);
      $(other + "-tab").focus();
    });
  }
}

export function showTab(name) {
  for (const each of NAMES) {
    const isShown = each === name;
    $(each + "-tab").setAttribute("aria-selected", isShown);
    $(each + "-tab").tabIndex = isShown ? 0 : -1;
    $(each).hidden = !isShown;
  }
  $("clear").hidden = name !== "live";
  if (name === "live") catchUp();
}
