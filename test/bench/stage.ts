/** Where one row is played: it starts the programs, gives them their turns within the row's budget, keeps the samples. */
import { Program, type ProgramSpec } from './program.ts'
import type { ComparisonReport, ContenderReport, RowReport, SkippedReport } from './report.ts'
import { type Goal, ratiosByRound, spread, turnOrder } from './statistics.ts'

export interface Row {
  /** One word, for `--rows`. */
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
  /** No round begins when it would probably end after this. */
  readonly budgetMs: number
  play(stage: Stage): Promise<void>
}

export interface StageOptions {
  readonly workers: number
  /** Fewer calls and rounds: to see whether everything works. */
  readonly quick: boolean
}

/** Below so many rounds the budget ends nothing: a median of fewer says too little. */
const leastRounds = 3

/** How long a program may take to stand. */
const startLimitMs = 20_000

export class Stage {
  readonly workers: number
  readonly quick: boolean
  readonly rounds: number
  readonly #row: Row
  readonly #startedAt = performance.now()
  readonly #programs: Program[] = []
  readonly #samples = new Map<string, (number | null)[]>()
  readonly #comparisons: { of: string; against: string; goals: readonly Goal[] }[] = []
  readonly #skipped: SkippedReport[] = []
  readonly #errors: string[] = []
  readonly #notes: string[] = []

  constructor(row: Row, options: StageOptions) {
    this.#row = row
    this.workers = options.workers
    this.quick = options.quick
    this.rounds = options.quick ? leastRounds : 5
  }

  /** Starts a program and waits until it is ready; undefined, with the error kept, when it fails. */
  async start(spec: ProgramSpec): Promise<Program | undefined> {
    const program = new Program(spec)
    this.#programs.push(program)
    try {
      await program.next(startLimitMs)
      return program
    } catch (error) {
      this.failed(error)
      program.kill()
      return undefined
    }
  }

  /** A program around a pool: `pool` is a file of programs/pools/. */
  pool(
    name: string,
    pool: string,
    options: object = {},
    env: Readonly<Record<string, string>> = {},
  ): Promise<Program | undefined> {
    return this.start({
      name,
      file: 'pool.mjs',
      args: [JSON.stringify({ pool, workers: this.workers, ...options })],
      env,
    })
  }

  ask<T>(program: Program, operation: string, parameters: object = {}): Promise<T> {
    return program.ask<T>(operation, parameters, this.#patienceMs)
  }

  /**
   * Rounds in which each contender is measured once, in turn. A contender that fails is out, and its error kept. Rounds
   * end early when the next one would not fit into the budget.
   */
  async inTurn(contenders: readonly Contender[], rounds: number = this.rounds): Promise<void> {
    const playing = new Set(contenders)
    const start = performance.now()
    for (let round = 0; round < rounds; round++) {
      const now = performance.now()
      const roundMs = round === 0 ? 0 : (now - start) / round
      if (round >= leastRounds && now + roundMs - this.#startedAt > this.#row.budgetMs) {
        this.note(`${round} of ${rounds} rounds: the row's ${this.#row.budgetMs / 1000} s were used up`)
        return
      }
      for (const contender of turnOrder(contenders, round)) {
        if (!playing.has(contender)) continue
        const sample = await contender.measure(round).catch((error: unknown) => {
          this.failed(error)
          playing.delete(contender)
          return null
        })
        this.sample(contender.name, round, sample)
      }
    }
  }

  sample(name: string, round: number, value: number | null): void {
    const samples = this.#samples.get(name) ?? []
    while (samples.length < round) samples.push(null)
    samples[round] = value
    this.#samples.set(name, samples)
  }

  /** The report has the ratio `of / against` of each round, and says whether its median is within the goals. */
  compare(of: string, against: string, ...goals: Goal[]): void {
    this.#comparisons.push({ of, against, goals })
  }

  skip(name: string, reason: string): void {
    this.#skipped.push({ name, reason })
  }

  note(text: string): void {
    this.#notes.push(text)
  }

  failed(error: unknown): void {
    this.#errors.push(error instanceof Error ? error.message : String(error))
  }

  /** Ends the programs of this row. */
  async close(): Promise<void> {
    const problems = await Promise.all(this.#programs.map((program) => program.close()))
    for (const problem of problems) if (problem !== undefined) this.#errors.push(problem)
  }

  kill(): void {
    for (const program of this.#programs) program.kill()
  }

  report(): RowReport {
    const { name, title, unit, better } = this.#row
    const contenders: ContenderReport[] = []
    for (const [contender, samples] of this.#samples) {
      const present = samples.filter((sample) => sample !== null)
      if (present.length > 0) contenders.push({ name: contender, ...spread(present), samples })
    }
    const elapsedMs = Math.round(performance.now() - this.#startedAt)
    const common = { name, title, unit, better, elapsedMs, contenders, comparisons: this.#compared() }
    return { ...common, skipped: this.#skipped, errors: this.#errors, notes: this.#notes }
  }

  #compared(): ComparisonReport[] {
    const reports: ComparisonReport[] = []
    for (const { of, against, goals } of this.#comparisons) {
      const ratios = ratiosByRound(this.#samples.get(of) ?? [], this.#samples.get(against) ?? [])
      if (ratios.length > 0) reports.push({ of, against, ratios, goals, ...spread(ratios) })
    }
    return reports
  }

  /** How long one answer may take: a program that hangs must not take the whole run with it. */
  get #patienceMs(): number {
    return this.#row.budgetMs
  }
}

export interface Contender {
  readonly name: string
  /** One sample, in the unit of the row. */
  measure(round: number): Promise<number>
}

export function least(ratio: number, label?: string): Goal {
  return { bound: 'least', ratio, ...(label !== undefined && { label }) }
}

export function most(ratio: number, label?: string): Goal {
  return { bound: 'most', ratio, ...(label !== undefined && { label }) }
}

/** A contender that gives its sample to one operation of its program. */
export function asking(stage: Stage, program: Program, operation: string, parameters: object): Contender {
  return { name: program.name, measure: () => stage.ask<number>(program, operation, parameters) }
}

/** The programs that could be started. */
export function started(programs: readonly (Program | undefined)[]): Program[] {
  return programs.filter((program) => program !== undefined)
}
