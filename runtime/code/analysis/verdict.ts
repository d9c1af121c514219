/**
 * Would a function behave the same in another process? Its text says what it does (`behaviour.ts`), the values around it
 * say to what: an escape of a number is none, a call of a helper is as harmless as the helper.
 *
 * `ship`: it only computes, and leaves what it shares with others as it is. `keep`: it certainly does something whose
 * effect would be lost. `maybe`: that could not be told. Functions that are called are looked into, with what they are
 * given; nothing is run.
 */
import { analyseFunction } from '../free-variables.ts'
import { behaviourOf } from './behaviour.ts'
import { FollowedCalls } from './followed-calls.ts'
import { covers, isPlain, joined, type Given } from './given.ts'
import type { FunctionVerdict, Reason } from './reasons.ts'
import { merge, own, withBelow, type Resolved } from './resolve.ts'
import { Scene, type Judgement } from './scene.ts'
import { Asking, changedIn, reachingIn, sloppy, waitingIn } from './signs.ts'
import { Surroundings, textOf } from './surroundings.ts'
import { Survey, type Surveyed } from './survey.ts'

export interface AnalyseOptions {
  /**
   * The arguments of a call, where the caller goes on using them: a change of one counts as of a captured variable.
   * Without this arguments belong to the call.
   */
  readonly args?: readonly unknown[]
  /** What `changedBuiltIns` gives: a function that may use one of them counts as one that is not known. */
  readonly changed?: ReadonlyMap<string, string>
  /** What it captured of packages goes as it is here, and not by name. */
  readonly isExact?: boolean
}

/** Functions that are looked into for one verdict. */
const maxFunctions = 200

/** Throws nothing. */
export function analyse(fn: Function, options: AnalyseOptions = {}): FunctionVerdict {
  const judge = new Judge(options)
  const args = options.args?.map((value) => ({ values: new Set([value]), unknown: false }))
  try {
    judge.look(fn, args ?? [], undefined, undefined)
  } catch (error) {
    judge.add({ kind: 'unknown', verdict: 'maybe', message: `it could not be looked into: ${String(error)}`, line: 1 })
  }
  return judge.verdict()
}

class Judge implements Judgement {
  readonly around: Surroundings = new Surroundings()
  readonly #reasons = new Map<string, Reason>()
  /** With what those are looked into that are being looked into. */
  readonly #given = new Map<Function, Given>()
  /** Looked into already, with nothing that is shared. */
  readonly #plain = new Set<Function>()
  readonly #calls: FollowedCalls
  readonly #survey: Survey
  readonly #asking: Asking = new Asking()
  readonly #changed: ReadonlyMap<string, string> | undefined
  readonly #isExact: boolean
  #looked = 0

  constructor({ changed, isExact = false }: AnalyseOptions) {
    this.#changed = changed
    this.#isExact = isExact
    this.#calls = new FollowedCalls(this.around)
    this.#survey = new Survey(isExact)
  }

  verdict(): FunctionVerdict {
    for (const reason of this.#asking.reasons(this.#survey)) this.add(reason)
    const reasons = [...this.#reasons.values()]
    const keep = reasons.some(({ verdict }) => verdict === 'keep')
    return { verdict: keep ? 'keep' : reasons.length > 0 ? 'maybe' : 'ship', reasons }
  }

  add(reason: Reason): void {
    const key = `${reason.message} ${reason.within ?? ''}`
    if (!this.#reasons.has(key)) this.#reasons.set(key, reason)
  }

  /** `within`: the name that a reason gives, when the function is not the analysed one itself. */
  look(fn: Function, args: readonly Resolved[], self: Resolved | undefined, within: string | undefined): void {
    const before = this.#given.get(fn)
    if (before !== undefined) {
      if (covers(before, args, self)) return
      // It calls itself with something else: with what may be reached from all of that.
      this.#look(fn, joined(before, args), withBelow(merge([before.self ?? own, self ?? own])), within)
    } else if (within === undefined || !isPlain(args, self)) this.#look(fn, args, self, within)
    else if (!this.#plain.has(fn)) {
      this.#plain.add(fn)
      this.#look(fn, args, self, within)
    }
  }

  /** Whether what it captured of packages goes by the name that those have for it. */
  goesByName(fn: Function, name: string, value: unknown): boolean {
    return !this.#isExact && this.around.isNamedByPackage(fn, name, value)
  }

  survey(value: unknown, name: string, line: number): void {
    this.#tell(this.#survey.over(value), `it uses '${name}' (line ${line})`, line, name)
  }

  /** First of all: what is reached from them, and from a variable, too, would be two things on a worker. */
  #surveyArguments(args: readonly Resolved[]): void {
    args.forEach(({ values }, index) => {
      for (const value of values) this.#tell(this.#survey.overArgument(value), `argument ${index + 1}`, 1)
    })
  }

  #tell({ methods, lost }: Surveyed, whose: string, line: number, variable?: string): void {
    for (const { method, self } of methods) this.look(method, [], self, method.name || 'an accessor')
    for (const what of lost) {
      const message = `${whose}: ${what}`
      this.add({ kind: 'unknown', verdict: 'maybe', message, line, ...(variable !== undefined && { variable }) })
    }
  }

  #look(fn: Function, args: readonly Resolved[], self: Resolved | undefined, within: string | undefined): void {
    if (++this.#looked > maxFunctions) {
      return this.add({ kind: 'unknown', verdict: 'maybe', message: 'it calls more code than is looked into', line: 1 })
    }
    const text = textOf(fn)
    this.#lookForSigns(fn, text)
    const analysis = analyseFunction(text)
    if (analysis.kind !== 'function' && analysis.kind !== 'class') {
      const what = analysis.kind === 'unparsable' ? 'that cannot be parsed' : `that is ${analysis.kind}`
      return this.#unknown(`it calls code ${what}`, within)
    }
    const of = within === undefined ? this.around.exporterOf(fn, analysis) : this.around.packageOf(fn, analysis)
    if (of !== undefined)
      return this.#unknown(
        within === undefined ? `it is ${fn.name || 'a function'} of ${of}` : `it calls ${within} of ${of}`,
        undefined,
      )
    const { events, isWhole } = behaviourOf(text)
    if (!isWhole) {
      const message = `${within === undefined ? 'it is' : `it calls ${within}, which is`} too large to be looked into`
      return this.add({ kind: 'unknown', verdict: 'maybe', message, line: 1 })
    }
    const before = this.#given.get(fn)
    this.#given.set(fn, { args, self })
    try {
      this.#calls.within(fn, () => {
        const scene = new Scene(this, fn, this.#calls.environment(fn, args, self), within)
        if (within === undefined) this.#surveyArguments(args)
        for (const { event, line } of events) scene.judge(event, line)
      })
    } finally {
      if (before === undefined) this.#given.delete(fn)
      else this.#given.set(fn, before)
    }
  }

  /** Tells what stands in a text alone, or in what is reached beside it. */
  #lookForSigns(fn: Function, text: string): void {
    const found = [...waitingIn(text), ...(this.#changed === undefined ? [] : changedIn(text, this.#changed))]
    if (this.#isExact) {
      this.#asking.read(text)
      found.push(...reachingIn(text))
      if (this.around.isSloppy(fn, text)) found.push(sloppy)
    }
    for (const reason of found) this.add(reason)
  }

  #unknown(message: string, within: string | undefined): void {
    const text = `${message}, which is not looked into`
    this.add({ kind: 'unknown', verdict: 'maybe', message: text, line: 1, ...(within !== undefined && { within }) })
  }
}
