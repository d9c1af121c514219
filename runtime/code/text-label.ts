/** How the text of a shipped function is called in stack traces, in every process that runs it. */

/** `outpool:fn/<name>@<hash of the text>+<what stands before it in its first line, in characters>`. */
export function textLabel(name: string, text: string, before: number): string {
  return `outpool:fn/${name.replace(/[^\w$.-]+/g, '_') || 'anonymous'}@${hashOf(text)}+${before}`
}

/** FNV-1a over the characters; two texts of one name in one stack are not mistaken for each other. */
export function hashOf(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(36)
}
