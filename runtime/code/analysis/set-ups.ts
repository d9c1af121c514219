/**
 * Statements that set up a package for all of the process: `Decimal.set({ precision: 50 })`, `dayjs.extend(utc)`,
 * `axios.defaults.timeout = 100`. By the names that packages give such methods, or those of methods that change what they
 * are called on, for what they do is not looked into.
 */
import type { AnyNode, Identifier } from 'acorn'
import { changesReceiver } from './known-methods.ts'
import { memberName } from './member-name.ts'

export interface SettingUp {
  readonly root: Identifier
  /** `extend()`, or the property that is assigned. */
  readonly how: string
}

const settingUp =
  /^(?:set|config|configure|extend|use|plugin|locale|register|install|add|enable|disable|init|initialize|setup|mixin|define|defaults|augment|patch)(?:[A-Z_].*)?$/

/** What an expression sets up whose value nobody uses: that of a statement, or of an arrow function. */
export function setUpBy(expression: AnyNode): SettingUp | undefined {
  if (expression.type === 'AwaitExpression' || expression.type === 'UnaryExpression')
    return setUpBy(expression.argument)
  if (expression.type === 'ChainExpression') return setUpBy(expression.expression)
  const isCall = expression.type === 'CallExpression'
  if (!isCall && expression.type !== 'AssignmentExpression') return undefined
  const target = isCall ? expression.callee : expression.left
  if (target.type !== 'MemberExpression') return undefined
  const name = memberName(target) ?? ''
  const root = rootOf(target)
  if (root === undefined || (isCall && !settingUp.test(name) && !changesReceiver(name))) return undefined
  return { root, how: isCall ? `${name}()` : name }
}

/** Of `dayjs.extend(a).extend(b)` it is `dayjs`. */
function rootOf(node: AnyNode): Identifier | undefined {
  let at = node
  while (at.type === 'MemberExpression' || at.type === 'CallExpression')
    at = at.type === 'MemberExpression' ? at.object : at.callee
  return at.type === 'Identifier' ? at : undefined
}
