"""The letters of tensor shapes, used in every annotation.

B  samples in the batch
U  distinct ASVs in the batch
T  (sample, ASV) pairs of the batch, packed
A  ASVs per sample where padding is unavoidable
L  nucleotide positions
P  patches of nucleotides
S  nucleotides per patch
D  embedding width
d  width of one attention head
H  attention heads
V  vocabulary
C  outputs or classes
N  branches of the tree that the batch touches
R  distinct ASVs that are also read with masked nucleotides
K  masked nucleotides per ASV
Q  (sample, ASV) pairs whose abundance is hidden
F  features of a sample that the target's head reads
M  metadata vectors per sample
G  (sample, ASV) pairs whose ASV is hidden
"""
