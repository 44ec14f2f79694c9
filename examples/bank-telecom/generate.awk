# Synthetic customers of a bank and of a telecom, most of them of both, in files of different orders. awk -v seed=1 -v customers=1800 -f ../random.awk -f generate.awk
#
# A fraudster takes over a customer's number with a new SIM card and empties the account. Each side sees half of it, and both
# halves have innocent look-alikes: people who move house pay large sums to new payees, and people who travel change their SIM.

BEGIN {
    bank = "bank.csv"
    telecom = "telecom.csv"
    print "customer,largest_payment,new_payees,night_share,account_months,channel,fraud" > bank
    print "customer,sim_changes,roaming_days,calls_forwarded,contract_months,prepaid" > telecom
    number = 100000
    for (row = 0; row < customers; row++) {
        number += between(1, 40)
        at_bank = !chance(0.1)
        at_telecom = !chance(0.1)
        fraud = chance(0.2)
        moves = chance(0.2)
        travels = chance(0.2)
        large = fraud ? chance(0.8) : moves
        swap = fraud ? chance(0.85) : travels
        payment = at_least(180 + 90 * normal() + large * 420 * uniform(), 5)
        payees = between(0, 2) + large * between(0, 4)
        night = at_least(0.08 + 0.05 * normal() + fraud * 0.06 * uniform(), 0)
        channel = uniform() < 0.2 ? "branch" : uniform() < 0.5 ? "web" : "app"
        line = sprintf("%d,%.2f,%d,%.3f,%d,%s,%s", number, payment, payees, night, between(1, 240), channel, fraud ? "yes" : "no")
        if (at_bank) print line > bank
        changes = swap ? between(1, 2) : chance(0.05)
        roaming = int(at_least(2 * normal(), 0)) + travels * between(0, 12)
        forwarded = at_least(int(1.5 * normal()), 0) + (fraud && swap) * between(0, 4)
        line = sprintf("%d,%d,%d,%d,%d,%s", number, changes, roaming, forwarded, between(1, 120), chance(0.3) ? "yes" : "no")
        if (at_telecom) lines[++count] = line
    }
    # The telecom has its newest customers first.
    for (row = count; row > 0; row--) print lines[row] > telecom
}
