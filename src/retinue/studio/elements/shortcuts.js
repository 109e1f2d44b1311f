// Keys that do something anywhere on a page. Python is told their names only, nothing else that is typed.
export default {
  template: "<span hidden></span>",
  props: { keys: Array },
  mounted() {
    this.listen = (event) => {
      if (event.isComposing || event.defaultPrevented) return;
      const found = this.keys.find(
        (one) =>
          one.key === event.key.toLowerCase() &&
          one.ctrl === (event.ctrlKey || event.metaKey) &&
          one.shift === event.shiftKey &&
          !event.altKey,
      );
      // What is open closes by Escape first.
      if (!found || document.querySelector(".q-dialog, .q-menu")) return;
      if (combined(found)) event.preventDefault();
      this.$emit("pressed", found.name);
    };
    document.addEventListener("keydown", this.listen);
  },
  beforeUnmount() {
    document.removeEventListener("keydown", this.listen);
  },
};

const combined = (found) => found.ctrl || found.shift;
