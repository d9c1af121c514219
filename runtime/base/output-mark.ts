/**
 * Where workers say in their own output which function prints what follows: `<RS>outpool<RS>name\n`. One such stands at the
 * beginning of a line, or in one that its task left without an end, which ends there. What tasks print may have record
 * separators of its own, as sequences of JSON texts have (RFC 7464).
 */
export const markBegin = '\u001eoutpool\u001e'

export function outputMark(name: string): string {
  return `${markBegin}${name.replaceAll('\n', ' ')}\n`
}

/** What of a line was printed, without its end; undefined where it is a mark and nothing else. */
export function printedOf(line: string): string | undefined {
  const at = line.indexOf(markBegin)
  return at === 0 ? undefined : at < 0 ? line : line.slice(0, at)
}
