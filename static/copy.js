// Copy buttons: hidden until there is a clipboard to copy to.

function wire() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy)?.textContent.trim() ?? "";
      await navigator.clipboard.writeText(text);
      const label = button.querySelector("span");
      const before = label.textContent;
      label.textContent = "Copied";
      setTimeout(() => {
        label.textContent = before;
      }, 1600);
    });
  }
}

document.addEventListener("xvault:fresh", wire);
wire();
