/** `run-seeds.ts <from> <to>`: prints the first finding of these seeds as JSON, or null. */
import { findFirst } from '../seeds.ts'
import { runAnswers } from './seeds.ts'

const [from, to] = process.argv.slice(2).map(Number)
const first = findFirst(from ?? 1, to ?? 1, undefined, runAnswers)
void first.then((finding) => process.stdout.write(JSON.stringify(finding ?? null)))
