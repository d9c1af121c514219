/** The templates that owners sent to this worker, by link and number, and the functions that they name. */
import { keepWhole } from '../base/compiled-script.ts'
import { RuntimeEnvSetupError } from '../base/errors.ts'
import { movingAverage } from '../base/moving-average.ts'
import { decodeDefinition, isClosure } from '../code/definition.ts'
import { type LoadedFunction, loadFunction } from '../code/load.ts'
import { decodeTemplate, isExact, type TemplateBody } from '../owner/template.ts'
import type { Link } from '../transport/link.ts'
import type { WorkerCode } from './worker-code.ts'

export interface WorkerTemplate {
  readonly body: TemplateBody
  /** Its function comes with each call. */
  readonly captures: boolean
  /** How its result is written. */
  readonly care: 'data' | 'exact'
  fn: LoadedFunction | undefined
  /** Why the function could not be loaded; told to every task of it. */
  failure: Error | undefined
  loading: Promise<void> | undefined
  /** Measured run time in microseconds, a moving average; -1 before the first. */
  runMicros: number
}

/** A task of it has taken so long; before its answer is sent. */
export function noteRun(template: WorkerTemplate, micros: number): void {
  // With the answer the program may end, and this process be killed.
  if (template.runMicros < 0) keepWhole()
  template.runMicros = movingAverage(template.runMicros, micros)
}

export class Templates {
  readonly #code: Pick<WorkerCode, 'enter' | 'locate'>
  readonly #byLink = new WeakMap<Link, Map<number, WorkerTemplate>>()

  constructor(code: Pick<WorkerCode, 'enter' | 'locate'>) {
    this.#code = code
  }

  add(link: Link, number: number, bytes: Uint8Array): void {
    let known = this.#byLink.get(link)
    if (known === undefined) this.#byLink.set(link, (known = new Map<number, WorkerTemplate>()))
    const body = decodeTemplate(bytes)
    known.set(number, {
      body,
      captures: isClosure(body.definition),
      care: isExact(body.mode) ? 'exact' : 'data',
      fn: undefined,
      failure: undefined,
      loading: undefined,
      runMicros: -1,
    })
  }

  get(link: Link, number: number): WorkerTemplate | undefined {
    return this.#byLink.get(link)?.get(number)
  }

  /** Templates that came by this link. */
  countOf(link: Link): number {
    return this.#byLink.get(link)?.size ?? 0
  }

  isLoaded(template: WorkerTemplate): boolean {
    return template.fn !== undefined || template.failure !== undefined
  }

  /** Loads the function; never rejects. */
  load(template: WorkerTemplate): Promise<void> {
    template.loading ??= this.#load(template)
    return template.loading
  }

  async #load(template: WorkerTemplate): Promise<void> {
    try {
      const { environment, definition } = template.body
      await this.#code.enter(environment)
      template.fn = await loadFunction(decodeDefinition(definition), this.#code.locate)
    } catch (error) {
      template.failure =
        error instanceof Error
          ? error
          : new RuntimeEnvSetupError(`the function ${template.body.name} could not be loaded`, { cause: error })
    }
  }
}
