/** How a command ends. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, noCluster: 3 } as const

/** Ends the command with this code after its message was printed. */
export class CommandError extends Error {
  readonly exitCode: number
  constructor(message: string, exitCode: number = exitCodes.failure) {
    super(message)
    this.exitCode = exitCode
  }
}
