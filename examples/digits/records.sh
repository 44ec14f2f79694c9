# The images of two archives, from the UCI set, which has levels from 0 to 16 and no header; pixels are 0 to 255. Sourced by each run.sh that uses them.
gzip -dc "$root/crates/data/assets/digits.csv.gz" | awk -F , '
    BEGIN {
        for (i = 0; i < 64; i++) head = head "p" i ","
        print head "digit" > "archive-north.csv"
        print head "digit" > "archive-south.csv"
    }
    {
        line = ""
        for (i = 1; i <= 64; i++) line = line 15 * $i ","
        print line $65 > (NR <= 1000 ? "archive-north.csv" : "archive-south.csv")
    }'

# Both archives share theirs.
share_images() {
    local archive
    for archive in archive-north archive-south; do
        run trefoil share $archive.csv --job job.toml --key keys/$archive.pem
    done
}
