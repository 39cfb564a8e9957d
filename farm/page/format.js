// Numbers, times and frame ranges as people read them.

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0.095) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(seconds < 0.95 ? 2 : 1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.round(hours / 24)} days`;
}

export function ago(seconds) {
  if (seconds < 5) return "just now";
  return `${duration(seconds)} ago`;
}

export function clock(atSeconds) {
  if (!atSeconds) return "–";
  const at = new Date(atSeconds * 1000);
  const isToday = at.toDateString() === new Date().toDateString();
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return isToday ? time : `${at.toLocaleDateString([], { month: "short", day: "numeric" })} ${time}`;
}

export function count(number) {
  return number.toLocaleString("en").replaceAll(",", "\u202f");
}

export function percent(part, whole) {
  if (!whole) return "0 %";
  const value = (100 * part) / whole;
  return `${part < whole ? Math.floor(value) : 100} %`;
}

// Ascending numbers as the farm reads them: 1-20,33,40-60x5
export function rangeText(numbers) {
  const parts = [];
  for (let start = 0; start < numbers.length; ) {
    const step = numbers[start + 1] - numbers[start];
    let end = start;
    while (end + 1 < numbers.length && numbers[end + 1] - numbers[end] === step) end += 1;
    if (step > 1 && end < start + 2) end = start; // two frames far apart are no span
    const span = `${numbers[start]}-${numbers[end]}`;
    parts.push(end === start ? `${numbers[start]}` : step === 1 ? span : `${span}x${step}`);
    start = end + 1;
  }
  return parts.join(",");
}

export function lastLine(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  return lines.length ? lines[lines.length - 1] : "";
}
