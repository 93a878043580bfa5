// A field for a payload. JSON goes out byte for byte as it was typed; text as the JSON string of it.

import { $, isWellFormed, shortened, told } from "./parts.js";

const encoder = new TextEncoder();

export class PayloadField {
  #field;
  #kind;
  #note;

  // The id of the field; those of its kind and of the line beneath it follow from it.
  constructor(id) {
    this.#field = $(id);
    this.#kind = $(id + "-kind");
    this.#note = $(id + "-note");
    this.#field.addEventListener("input", () => this.#describe());
    this.#kind.addEventListener("change", () => this.#describe());
    this.#field.addEventListener("keydown", (event) => {
      if (this.#field.dataset.enter !== "submits" || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#field.form.requestSubmit();
    });
    this.#describe();
  }

  // The JSON that goes out, and null where what was typed cannot: the line beneath says why.
  read() {
    const { json, fault } = payloadOf(this.#field.value, this.#kind.value);
    if (fault === undefined) return json;
    this.refuse("This is not JSON: " + fault + ". Mend it, or choose Text.");
    this.#field.focus();
    return null;
  }

  // Empties the field; what it answers brings back what was typed, unless other things have been typed since.
  clear() {
    const typed = this.#field.value;
    this.#field.value = "";
    this.#describe();
    return () => {
      if (this.#field.value === "") this.#field.value = typed;
    };
  }

  refuse(words) {
    this.#field.setAttribute("aria-invalid", "true");
    told(this.#note, words, true);
  }

  #describe() {
    this.#field.removeAttribute("aria-invalid");
    delete this.#note.dataset.state;
    this.#note.textContent = this.#field.value === "" ? "" : wordsOf(this.#field.value, this.#kind.value);
  }
}

// What goes out of what was typed, or why nothing does.
export function payloadOf(typed, kind) {
  if (kind === "text") return { json: JSON.stringify(typed) };
  try {
    JSON.parse(typed);
  } catch (error) {
    return { fault: error.message };
  }
  return isWellFormed(typed) ? { json: typed } : { fault: "half of a surrogate pair has no bytes" };
}

function wordsOf(typed, kind) {
  const { json, fault } = payloadOf(typed, kind);
  if (fault !== undefined) return "not JSON yet";
  const size = encoder.encode(json).length.toLocaleString() + " bytes";
  if (kind === "json") return size + " of JSON, sent as typed";
  const isObject = /^\s*[[{]/.test(typed) && payloadOf(typed, "json").fault === undefined;
  return "sent as the JSON string " + shortened(json, 60) + ", " + size + (isObject ? "; choose JSON to send what it says" : "");
}
