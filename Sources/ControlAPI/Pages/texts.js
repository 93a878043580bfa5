// What a JSON object or array holds, as text: what JavaScript makes of a number beyond 2^53 is not what was sent.

// By name or number; of what has the same name the last, as JSON.parse does.
export function textsOf(json) {
  const texts = new Map();
  let depth = 0;
  let start = 0;
  let name;
  const keep = (end) => {
    const text = json.slice(start, end).trim();
    if (text) texts.set(name ?? texts.size, text);
    name = undefined;
    start = end + 1;
  };
  // A string is one token, so that nothing within it counts.
  for (const { 0: token, index } of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]/g)) {
    if (token === "[" || token === "{") {
      if (++depth === 1) start = index + 1;
    } else if (token === "]" || token === "}") {
      if (depth-- === 1) keep(index);
    } else if (depth === 1 && token === ",") {
      keep(index);
    } else if (depth === 1 && token === ":") {
      name = JSON.parse(json.slice(start, index));
      start = index + 1;
    }
  }
  return texts;
}
