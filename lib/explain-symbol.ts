/** A method of this name on an object says how `explain` tells of it. */
export const explainSymbol: unique symbol = Symbol.for('outpool.explain')
