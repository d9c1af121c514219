/** Ends what goes on when something that cannot be is. The message is for the people who maintain Outpool. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${what}`)
}
