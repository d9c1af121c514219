/**
 * The side of a measured program: it answers one JSON line on descriptor 3 for each JSON line that it reads from stdin.
 * Not Node's IPC: some pools take a process that has a channel for one of their own workers.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

const replyDescriptor = 3

function reply(message) {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
  for (let offset = 0; offset < bytes.length;) {
    try {
      offset += writeSync(replyDescriptor, bytes, offset)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

/**
 * `setUp` runs once and resolves to what `operations` get as their second argument; `tearDown` runs at the end. The
 * program then ends by itself, as a user's would.
 */
export async function serve({ setUp = async () => undefined, operations, tearDown = async () => {} }) {
  const config = JSON.parse(process.argv[2] ?? '{}')
  let state
  try {
    state = await setUp(config)
    reply({ ready: true })
  } catch (error) {
    reply({ error: error.stack ?? String(error) })
    process.exit(1)
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const { operation, parameters } = JSON.parse(line)
    try {
      if (operation === 'close') break
      reply({ value: (await operations[operation](parameters, state)) ?? null })
    } catch (error) {
      reply({ error: error.stack ?? String(error) })
    }
  }
  await tearDown(state)
  process.stdin.destroy()
}

/** What a program that answers once and ends has to say. */
export function sayOnce(value) {
  reply({ value })
}

/** Milliseconds that `work` takes. */
export async function timed(work) {
  const start = performance.now()
  await work()
  return performance.now() - start
}
