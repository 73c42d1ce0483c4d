# Prints digests of what perl makes of a fixed pseudo-random input.
use strict;
use warnings;
use threads;
use threads::shared;
use Digest::SHA qw(sha1_hex);
use JSON::PP;
use List::Util qw(sum0 shuffle);
use POSIX ();
use Storable qw(dclone freeze thaw);

$| = 1;
srand(20131212);

# A hash of strings that grow, shrink and go.
my %words;
for my $i (1 .. 200_000) {
    my $key = sprintf("%x", $i * 2654435761 % 60_013);
    if ($i % 5 == 0) { delete $words{$key} }
    else { $words{$key} .= chr(97 + $i % 26) x ($i % 17) }
}
print "words ", scalar(keys %words), " ", sha1_hex(join ",", map { "$_=$words{$_}" } sort keys %words), "\n";

# Regular expressions over a long string.
my $text = join " ", map { $words{$_} } sort keys %words;
my %runs;
$runs{$1}++ while $text =~ /((\w)\2*)/g;
print "runs ", join(" ", map { "$_:$runs{$_}" } (sort keys %runs)[0 .. 9]), "\n";
(my $swapped = $text) =~ s/(\w)(\w)/$2$1/g;
print "swapped ", sha1_hex($swapped), "\n";

# Nested structures, copied in several ways.
my $tree = { map { $_ => [ map { { n => $_, s => "x" x $_ } } 1 .. 50 ] } 1 .. 100 };
my $json = JSON::PP->new->canonical;
my $copy = $json->decode($json->encode(thaw(freeze(dclone($tree)))));
print "tree ", sha1_hex($json->encode($copy)), "\n";

# Sorting, and a string of several megabytes that doubles.
print "sorted ", sha1_hex(join ",", sort { $a <=> $b } shuffle(1 .. 50_000)), "\n";
my $big = "cgslab";
$big .= $big for 1 .. 19;
print "big ", length($big), " ", sha1_hex($big), "\n";

# Each thread clones the whole interpreter.
my $total : shared = 0;
for my $round (1 .. 3) {
    my @threads = map {
        my $id = $_;
        threads->create(sub {
            my @mine = map { "$id-$_" x 3 } 1 .. 2000;
            { lock($total); $total += sum0(map { length } @mine) }
            return sha1_hex("@mine");
        });
    } 1 .. 4;
    print "thread ", $_->join, "\n" for @threads;
}
print "total $total\n";

# Children work on the parent's data and hand it back through a pipe.
for my $id (1 .. 8) {
    pipe(my $reader, my $writer) or die;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $reader;
        $words{$_} .= $id for keys %words;
        print $writer sha1_hex(join ",", map { $words{$_} } sort keys %words);
        close $writer;
        # Half of them leave through perl's own clearing up.
        $id % 2 ? exit(0) : POSIX::_exit(0);
    }
    close $writer;
    my $digest = <$reader>;
    waitpid($pid, 0);
    print "child $digest $?\n";
}
