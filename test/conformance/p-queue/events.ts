/** Which events a queue emits, and in which order, by how its tasks end: to the letter what the originals emit. */
import { expect } from 'chai'
import { listen, type Queue, type Subject } from './subject.ts'

type Task = () => unknown

/** Tasks that change what they captured, and so are the caller's, by how they end. */
function tasksHere(): Readonly<Record<string, Task>> {
  let calls = 0
  return {
    'throw at once': () => {
      calls++
      throw new Error('at once')
    },
    'reject later': async () => {
      calls++
      await Promise.resolve()
      throw new Error('later')
    },
    'resolve at once': async () => ++calls,
    'return a plain value': () => ++calls,
  }
}

/** What is heard of three tasks that end like this: what is left of the bar at once. */
export async function heardOf(queue: Queue, task: Task): Promise<string> {
  const heard: string[] = []
  for (const event of ['add', 'active', 'next', 'error', 'completed', 'idle', 'empty', 'pendingZero'])
    listen(queue, event, () => heard.push(event))
  const all = [1, 2, 3].map(() => queue.add(task).catch(() => undefined))
  if (queue.isPaused) queue.start()
  heard.push('|')
  await Promise.all(all)
  await queue.onIdle()
  // What is emitted behind `idle`.
  await new Promise((resolve) => setImmediate(resolve))
  return heard.join(' ')
}

/** What three tasks begin with, by the concurrency, where the queue runs and where it is started then. */
const begins = {
  1: { running: 'add active add add', paused: 'add add add active' },
  2: { running: 'add active add active add', paused: 'add add add active active' },
}

/** How they go on, by major and concurrency; `end` stands for `error` or `completed`. */
const ends = {
  9: {
    1: 'end pendingZero active next end pendingZero active next end pendingZero empty idle next',
    2: 'end end active next empty next end pendingZero empty idle next',
  },
  10: {
    1: 'end pendingZero active next end pendingZero active empty next end pendingZero empty idle next',
    2: 'end end active empty next empty next end pendingZero empty idle next',
  },
}

/** Those that throw at once: 9 says so before it says that they are active, 10 never calls a task at once. */
const thrown = {
  1: 'pendingZero end active next pendingZero end active next pendingZero empty idle next',
  2: 'end active next empty next pendingZero empty idle next',
}

/** Everything that tasks are heard of which end in this way. */
export function expectedOf(
  how: string,
  { major, concurrency, start }: { major: 9 | 10; concurrency: 1 | 2; start: 'running' | 'paused' },
): string {
  const isThrown = major === 9 && how === 'throw at once'
  const begin = begins[concurrency][start]
  const story = isThrown
    ? `${begin.replaceAll('active', 'end active')} | ${thrown[concurrency]}`
    : `${begin} | ${ends[major][concurrency]}`
  return story.replaceAll(/\bend\b/g, how === 'throw at once' || how === 'reject later' ? 'error' : 'completed')
}

export function eventSuite({ major }: Pick<Subject, 'major'>, create: (options: object) => Queue): void {
  for (const [how, task] of Object.entries(tasksHere())) {
    it(`emits its events in their order for tasks that ${how}`, async () => {
      for (const concurrency of [1, 2] as const) {
        for (const start of ['running', 'paused'] as const) {
          const heard = await heardOf(create({ concurrency, autoStart: start === 'running' }), task)
          expect(heard, `concurrency ${concurrency}, ${start}`).to.equal(expectedOf(how, { major, concurrency, start }))
        }
      }
    })
  }
}
