/** The three programs of the main job, the original beside the two on Outpool. */
import type { FailureCluster, RunOptions } from '../support.ts'

export interface MainJob {
  readonly files: number
  /** What each program made of its input, as text, without the times. */
  readonly before: string
  readonly after: string
  readonly map: string
}

export async function runMainJob(cluster: FailureCluster, files: number, how: RunOptions): Promise<MainJob> {
  const run = async (name: string, where: RunOptions): Promise<Record<string, unknown>> => {
    const result = await cluster.example(`file-facts/${name}.mjs`, ['--files', String(files)], where)
    const { wallMs: _, cpuMs: __, ...facts } = result as Record<string, unknown>
    return facts
  }
  const before = await run('before', {})
  const after = await run('after', how)
  const map = await run('map', how)
  const asText = (facts: object): string => JSON.stringify(facts, undefined, 1)
  const { files: count } = before['totals'] as { readonly files: number }
  return { files: count, before: asText(before), after: asText(after), map: asText(map) }
}
