/** A line for who waits for a command; what programs read goes to stdout. */
export function say(text: string): void {
  console.error(`outpool: ${text}`)
}
