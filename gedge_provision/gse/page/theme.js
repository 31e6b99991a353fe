// Before anything is painted, so that no light page flashes up at night: hence no module, and a file of its own.
"use strict";
try {
  document.documentElement.dataset.theme = localStorage.getItem("gedge-theme") || "";
} catch {
  // A browser that keeps nothing follows the system.
}
