/** Ends the workers of a shim; an original has none. */
export async function leave(from) {
  if (from.startsWith('outpool/')) await (await import('outpool')).shutdown()
}
