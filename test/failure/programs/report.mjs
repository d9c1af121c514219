/** How a program of these tests speaks with the test that started it: options by argument, events over the channel. */

/** What the test asked for. */
export const options = JSON.parse(process.argv[2] ?? '{}')

/** Resolves when the event is on its way: a process that ends at once would take it along. */
export function say(event, data = {}) {
  return new Promise((resolve, reject) => {
    process.send({ event, ...data }, (error) => (error ? reject(error) : resolve()))
  })
}

const heard = []
const waiting = []

process.on('message', (message) => {
  heard.push(message.event)
  for (const check of waiting.splice(0)) check()
})

/** Resolves when the test has said `event`. */
export function told(event) {
  return new Promise((resolve) => {
    const check = () => {
      const at = heard.indexOf(event)
      if (at < 0) return waiting.push(check)
      heard.splice(at, 1)
      resolve()
    }
    check()
  })
}

/** The channel alone keeps nothing alive; `end` is the last word. */
export async function end(data) {
  await say('end', data)
  process.disconnect()
}

/** Outcomes as counts: how many succeeded, and how many failed with which error. */
export function tally(outcomes) {
  const failed = {}
  let succeeded = 0
  for (const { status, reason } of outcomes) {
    if (status === 'fulfilled') succeeded++
    else failed[reason?.name ?? String(reason)] = (failed[reason?.name ?? String(reason)] ?? 0) + 1
  }
  return { succeeded, failed }
}

/** Waits until every table of this process's owner is empty; returns those that are not when it takes too long. */
export async function leftInTables(explain, limitMs = 30_000) {
  const until = performance.now() + limitMs
  for (;;) {
    globalThis.gc?.()
    const left = Object.entries(explain().tables).filter(([, size]) => size > 0)
    if (left.length === 0 || performance.now() > until) return Object.fromEntries(left)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
