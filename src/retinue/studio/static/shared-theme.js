// Light or dark, as the browser likes it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.body.classList.toggle("body--dark", dark.matches);
dark.addEventListener("change", dress);
dress();
