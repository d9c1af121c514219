import { inspect } from 'node:util'

/** What a promise rejects with; one that resolves is an error. */
export async function rejection(promise: PromiseLike<unknown>): Promise<Error> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw new Error(`rejected with ${inspect(error)}, which is no error`, { cause: error })
  }
  throw new Error(`resolved to ${inspect(value)} instead of rejecting`)
}
