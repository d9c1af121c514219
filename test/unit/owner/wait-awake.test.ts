import { expect } from 'chai'
import { type AwakeParts, type AwakeRole, leavesCpu, mayLook, WaitAwake } from '../../../runtime/owner/wait-awake.ts'

const turnMs = 0.01

/** One machine: a clock, its words, and whoever asked to be called in the next turn. */
class Machine {
  nowMs = 5_000
  idle = true
  readonly words = new Int32Array(2)
  opened = 0
  #turns: (() => void)[] = []

  process(role: AwakeRole, parts: Partial<AwakeParts> = {}): WaitAwake {
    return new WaitAwake(role, {
      nowMs: () => this.nowMs,
      nextTurn: (look) => this.nextTurn(look),
      words: () => {
        this.opened++
        return this.words
      },
      hasIdleCpu: () => this.idle,
      ...parts,
    })
  }

  get looking(): number {
    return this.#turns.length
  }

  nextTurn(look: () => void): void {
    this.#turns.push(look)
  }

  /** One turn of every event loop that is awake. */
  turn(ms: number): void {
    this.nowMs += ms
    for (const look of this.#turns.splice(0)) look()
  }

  /** Turns until everybody sleeps; how long that took. */
  settle(): number {
    const startedMs = this.nowMs
    for (let i = 0; i < 10_000 && this.looking > 0; i++) this.turn(0.01)
    expect(this.looking).equal(0)
    return this.nowMs - startedMs
  }
}

interface Call {
  readonly roundTripMs: number
  readonly ownerLookedMs: number
}

/** An owner and a worker, one call at a time: an end that looks has a message in the next turn, one that sleeps is woken. */
class Talk {
  readonly #machine = new Machine()
  readonly #owner: WaitAwake
  readonly #worker: WaitAwake
  readonly #looks = new Map<WaitAwake, number>()
  readonly #wakeMs: number
  readonly #taskMs: number
  #ownerLookedMs = 0

  constructor(wakeMs: number, taskMs: number, cpus = 4) {
    this.#wakeMs = wakeMs
    this.#taskMs = taskMs
    this.#owner = this.#end('owner', cpus)
    this.#worker = this.#end('worker', cpus)
  }

  calls(count: number): Call[] {
    return Array.from({ length: count }, () => {
      const startedMs = this.#machine.nowMs
      this.#ownerLookedMs = 0
      this.#owner.expect()
      this.#reach(this.#worker)
      this.#pass(this.#taskMs)
      this.#worker.expect()
      this.#reach(this.#owner)
      this.#pass(turnMs)
      return { roundTripMs: this.#machine.nowMs - startedMs, ownerLookedMs: this.#ownerLookedMs }
    })
  }

  pause(ms: number): void {
    this.#pass(ms)
  }

  #end(role: AwakeRole, cpus: number): WaitAwake {
    const nextTurn = (look: () => void): void => {
      this.#looks.set(end, (this.#looks.get(end) ?? 0) + 1)
      this.#machine.nextTurn(() => {
        this.#looks.set(end, (this.#looks.get(end) ?? 0) - 1)
        look()
      })
    }
    const words = (): Int32Array | undefined => (mayLook(role, cpus) ? this.#machine.words : undefined)
    const end: WaitAwake = this.#machine.process(role, { nextTurn, words })
    return end
  }

  #isLooking(end: WaitAwake): boolean {
    return (this.#looks.get(end) ?? 0) > 0
  }

  /** A message leaves for that end and arrives there. */
  #reach(end: WaitAwake): void {
    for (let ms = 0; ms < (this.#isLooking(end) ? turnMs : this.#wakeMs); ms += turnMs) this.#pass(turnMs)
    end.arrived()
  }

  #pass(ms: number): void {
    for (let left = ms; left > 1e-9; left -= turnMs) {
      if (this.#isLooking(this.#owner)) this.#ownerLookedMs += turnMs
      this.#machine.turn(Math.min(left, turnMs))
    }
  }
}

/** Past the calls in which nothing is tried yet. */
function used(waiting: WaitAwake): WaitAwake {
  for (let i = 0; i < 20; i++) {
    waiting.expect()
    waiting.arrived()
  }
  return waiting
}

describe('runtime/owner/wait-awake', () => {
  it('looks for 300 microseconds, and then sleeps', () => {
    const machine = new Machine()
    used(machine.process('owner')).expect()
    expect(machine.looking).equal(1)
    expect(machine.settle()).within(0.29, 0.35)
  })

  it('sleeps when the message has come', () => {
    const machine = new Machine()
    const waiting = used(machine.process('owner'))
    waiting.expect()
    machine.turn(0.05)
    expect(machine.looking).equal(1)
    waiting.arrived()
    expect(machine.settle()).below(0.02)
  })

  it('looks on over the answers of many calls in a row', () => {
    const machine = new Machine()
    const waiting = used(machine.process('owner'))
    for (let i = 0; i < 1_000; i++) {
      waiting.expect()
      machine.turn(0.02)
      expect(machine.looking, `call ${i}`).equal(1)
      waiting.arrived()
    }
  })

  it('opens nothing, and tries nothing, in a program of few calls', () => {
    const machine = new Machine()
    used(machine.process('owner'))
    expect(machine.opened).equal(0)
    expect(machine.looking).equal(0)
  })

  it('is seldom tried where it is in vain, and each time again where it is not', () => {
    const machine = new Machine()
    const waiting = used(machine.process('worker'))
    let tries = 0
    for (let i = 0; i < 2_000; i++) {
      waiting.expect()
      if (machine.looking > 0) tries++
      machine.settle()
    }
    expect(tries).within(5, 15)
    // One that is answered makes it worth the while again.
    while (machine.looking === 0) waiting.expect()
    waiting.arrived()
    machine.settle()
    for (let i = 0; i < 10; i++) {
      waiting.expect()
      expect(machine.looking).equal(1)
      waiting.arrived()
      machine.settle()
    }
  })

  for (const wakeMs of [0.03, 0.1, 0.22, 0.35])
    it(`comes to be awake at both ends where a CPU takes ${wakeMs} ms to wake up, and stays so`, () => {
      const talk = new Talk(wakeMs, 0.02)
      const { roundTripMs } = talk.calls(3_000).at(-1)!
      expect(roundTripMs).below(0.1)
      // A pause at either end, in which both fall asleep.
      for (const pause of [0.4, 3, 500]) {
        talk.pause(pause)
        expect(talk.calls(3_000).at(-1)!.roundTripMs, `behind ${pause} ms`).below(0.1)
      }
    })

  for (const [taskMs, most] of [
    [0.4, 0.35],
    [0.8, 0.2],
    [1.2, 0.02],
    [5, 0.005],
  ] as const)
    it(`takes little of a CPU beside tasks of ${taskMs} ms`, () => {
      const talk = new Talk(0.05, taskMs)
      talk.calls(1_000)
      const calls = talk.calls(4_000)
      const lookedMs = calls.reduce((sum, call) => sum + call.ownerLookedMs, 0)
      const wholeMs = calls.reduce((sum, call) => sum + call.roundTripMs, 0)
      expect(lookedMs / wholeMs).below(most)
    })

  for (const wakeMs of [0.03, 0.1, 0.22])
    it(`saves one of two times ${wakeMs} ms on two CPUs, where the owner looks alone`, () => {
      const talk = new Talk(wakeMs, 0.02, 2)
      expect(talk.calls(3_000).at(-1)!.roundTripMs).within(wakeMs, wakeMs + 0.08)
      talk.pause(500)
      expect(talk.calls(3_000).at(-1)!.roundTripMs).within(wakeMs, wakeMs + 0.08)
    })

  it('takes a CPU that is left: of two one for the owner, of four one for each end', () => {
    const cpus = [1, 2, 3, 4, 8]
    expect(cpus.map((count) => mayLook('owner', count))).deep.equal([false, true, true, true, true])
    expect(cpus.map((count) => mayLook('worker', count))).deep.equal([false, false, false, true, true])
    const most = (count: number): number => [0, 1, 2, 3, 4, 5, 6, 7, 8].findLast((n) => leavesCpu(n, count)) ?? -1
    expect(cpus.slice(1).map(most)).deep.equal([1, 1, 2, 6])
  })

  it('is for one owner and one worker of a machine at a time', () => {
    const machine = new Machine()
    const first = used(machine.process('owner'))
    const second = used(machine.process('owner'))
    const worker = used(machine.process('worker'))
    first.expect()
    second.expect()
    worker.expect()
    expect(machine.looking).equal(2)
    first.arrived()
    worker.arrived()
    machine.settle()
    second.expect()
    expect(machine.looking).equal(1)
    machine.settle()
  })

  it('passes on what a dead process had taken', () => {
    const machine = new Machine()
    used(machine.process('owner', { nextTurn: () => {} })).expect()
    const other = used(machine.process('owner'))
    other.expect()
    expect(machine.looking).equal(0)
    machine.nowMs += 4
    other.expect()
    expect(machine.looking).equal(1)
    machine.settle()
  })

  it('is not done while other processes want the CPUs, nor where memory cannot be shared', () => {
    const machine = new Machine()
    machine.idle = false
    const busy = used(machine.process('owner'))
    busy.expect()
    expect(machine.looking).equal(0)
    machine.idle = true
    busy.expect()
    expect(machine.looking).equal(1)
    machine.settle()
    const alone = used(machine.process('worker', { words: () => undefined }))
    alone.expect()
    expect(machine.looking).equal(0)
  })
})
