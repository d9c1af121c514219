/** The table of functions that capture: at least five of each kind, those that travel and those that are refused. */
import { changedClasses } from './changed-classes.ts'
import { classes } from './classes.ts'
import { data } from './data.ts'
import { functions } from './functions.ts'
import { imports, prepare as prepareImports } from './imports.ts'
import { madeClasses } from './made-classes.ts'
import { prepareCode, refusedCode } from './refused-code.ts'
import { finishRefused, prepareRefused, refusedValues } from './refused-values.ts'
import type { Case, Refusal, Table } from './types.ts'

export const cases: Table<Case> = { ...functions, ...classes, ...changedClasses, ...madeClasses, ...imports, ...data }

export const refusals: Table<Refusal> = { ...refusedCode, ...refusedValues }

export async function prepare(): Promise<void> {
  await Promise.all([prepareImports(), prepareCode(), prepareRefused()])
}

export const finish: () => Promise<void> = finishRefused
