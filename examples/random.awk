# Random numbers for the generators of records: Lehmer's generator with the constants of Park and Miller, whose products are
# exact in the doubles of every awk. The same seed gives the same records everywhere. Not for anything secret.

BEGIN {
    state = seed + 0
    for (i = 0; i < 20; i++) uniform()
}

# In (0, 1).
function uniform() {
    state = (16807 * state) % 2147483647
    return state / 2147483647
}

# Mean 0 and deviation 1, near enough to the normal distribution.
function normal(    i, sum) {
    for (i = 0; i < 12; i++) sum += uniform()
    return sum - 6
}

# 1 with this probability, else 0.
function chance(p) { return uniform() < p }

# A whole number from a to b.
function between(a, b) { return a + int(uniform() * (b - a + 1)) }

function at_least(x, least) { return x < least ? least : x }
