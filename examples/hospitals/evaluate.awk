# A network with one hidden layer on records in the clear, to show that the model's file needs no Trefoil.
#   awk -f evaluate.awk weights.txt job.toml records.csv
# weights.txt: the numbers of a safetensors file in their order (weight and bias of fc1, then of fc2); job.toml: mean and
# deviation of each column; records.csv: the columns in the job's order, and last the class.

FILENAME == ARGV[1] { for (i = 1; i <= NF; i++) weight[n++] = $i; next }

FILENAME == ARGV[2] {
    if (/^classes/) split($0, classes, "\"") # benign is classes[2], malignant classes[4]
    if (/kind = "number"/) {
        sub(/.*mean = /, "")
        split($0, s, /[^-0-9.]+/)
        mean[++inputs] = s[1]
        deviation[inputs] = s[2]
    }
    FS = ","
    next
}

FNR == 1 { hidden = (n - 2) / (inputs + 3); next }

{
    at = 0
    for (j = 1; j <= hidden; j++) {
        h[j] = 0
        for (i = 1; i <= inputs; i++) h[j] += weight[at++] * ($i - mean[i]) / deviation[i]
    }
    for (j = 1; j <= hidden; j++) {
        h[j] += weight[at++]
        if (h[j] < 0) h[j] = 0 # ReLU
    }
    for (c = 1; c <= 2; c++) {
        z[c] = 0
        for (j = 1; j <= hidden; j++) z[c] += weight[at++] * h[j]
    }
    z[1] += weight[at++]
    z[2] += weight[at++]
    records++
    right += $NF == (z[1] >= z[2] ? classes[2] : classes[4])
}

END { printf "%d of %d, %.4f\n", right, records, right / records }
