/** What a result gets that was still to come when its pool was terminated. Python leaves such a result waiting for ever. */
export class PoolTerminatedError extends Error {
  override readonly name: string = 'PoolTerminatedError'
}
