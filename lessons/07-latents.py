# %% [markdown] lang="en"
# # 7 · Latents
#
# A trained generator is a function: 64 numbers in (the tutorial had 100), a digit out. What do the numbers mean? Nobody
# wrote that down; the network arranged it by itself. In this lesson you walk through the space of latents, write ten
# digits in the same hand, trade variety for legibility, and find the latent of a digit that the generator has never
# seen.

# %% [markdown] lang="zh" of="6ac0ad15"
# # 7 · 隐变量
#
# 训练好的生成器是一个函数：输入 64 个数（那篇教程是 100 个），输出一张数字图。这 64 个数是什么意思？没人写下来过，是网络自己安排的。
# 这一课你将在隐变量的空间里散步，用同一种笔迹写出十个数字，用多样性换清晰，还要给生成器从没见过的一个数字找到隐变量。

# %% [markdown] lang="en"
# ## Where do latents live?
#
# A latent is 64 numbers, each drawn from a bell curve: a point in 64 dimensions. Most values of a bell curve are near
# 0. So most latents lie near the origin. True?

# %% [markdown] lang="zh" of="eebead48"
# ## 隐变量住在哪里？
#
# 隐变量是 64 个数，每个都从标准正态分布里抽出来，合起来是 64 维空间里的一个点。正态分布的值大多在 0 附近，所以大多数隐变量都在原点附近。对吗？

# %%
import numpy as np
import torch

import inkgan
from inkgan.data import load
from inkgan.images import sheet

random = np.random.default_rng(0)
z = random.standard_normal((1000, 64), dtype=np.float32)
lengths = np.linalg.norm(z, axis=1)
print(f"lengths: {lengths.mean():.2f} ± {lengths.std():.2f}; the shortest of 1,000 is {lengths.min():.2f}")
assert 7.8 < lengths.mean() < 8.1
assert lengths.min() > 5

# %% [markdown] lang="en"
# False. Each number is near 0, but its square is 1 on average, so the 64 squares add up to about 64, and the length is
# about √64 = 8. It hardly varies: the number after the ± is its standard deviation. Latents live on a thin shell, and
# almost nothing lives inside it.
#
# ## A walk
#
# Take two latents and go from one to the other. The straight line, `(1 - t) * a + t * b`, cuts through the inside of the
# shell. The arc stays on it: it turns a towards b, at each step by the same angle. How long is the latent half way?

# %% [markdown] lang="zh" of="16ee7eb7"
# 不对。每个数都在 0 附近，可是它的平方平均是 1，64 个平方加起来大约是 64，所以长度大约是 √64 = 8。长度变化很小：± 后面的数就是它的标准差。隐变量住在一层薄壳上，壳里面几乎是空的。
#
# ## 散步
#
# 取两个隐变量，从一个走到另一个。直线 `(1 - t) * a + t * b` 会穿过壳的内部，弧线则一直留在壳上：把 a 转向 b，每一步转过同样的角度。走到一半时，隐变量有多长？


# %%
model = inkgan.load("fast")
a, b = z[2], z[3]
steps = np.linspace(0, 1, 12, dtype=np.float32)[:, None]


def arc(a, b, t):
    """From a to b along the sphere (Shoemake 1985)."""
    angle = np.arccos(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


straight = (1 - steps) * a + steps * b
curved = arc(a, b, steps).astype(np.float32)
middle = [float(np.linalg.norm(way, axis=1)[5:7].mean()) for way in (straight, curved)]
print("length half way: straight", round(middle[0], 2), " arc", round(middle[1], 2))
sheet(np.concatenate([model.draw(way, "3") for way in (straight, curved)]), columns=12, scale=2)

# %%
assert middle[0] < 0.85 * middle[1]

# %% [markdown] lang="en"
# Above is the straight line, below the arc. Every step is a three, and every step is a little different from the one
# before: the generator is continuous. Half way, the latent on the straight line is clearly shorter. In these two rows
# you hardly see what that costs; further down you measure it with ψ: short latents are near the average, and their
# images vary less. So `inkgan morph` walks along arcs.
#
# ## A hand
#
# Now keep the latent and change the label instead. What stays the same?

# %% [markdown] lang="zh" of="c1df22a5"
# 上排走直线，下排走弧线。每一步都是“3”，每一步都和前一步略有不同：生成器是连续的。走到一半，直线上的隐变量明显短了。光看这两排，几乎看不出代价；下面会用 ψ 量出来：短的隐变量接近平均，画出的图变化少。所以 `inkgan morph` 走的是弧线。
#
# ## 一种笔迹
#
# 现在隐变量不变，只换标签。有什么是不变的？

# %%
hands = np.repeat(z[:6], 10, axis=0)
written = model.draw(hands, np.tile(np.arange(10), 6))
sheet(written, columns=10, scale=2)

# %% [markdown] lang="en"
# One row, one latent, ten labels. A row looks as if one person wrote it: thick or thin, upright or leaning. Nobody told
# the generator what a writer is; MNIST's labels do not say. Can we measure it? Compare the ink of digits in a row.

# %% [markdown] lang="zh" of="0c5cb366"
# 一行一个隐变量，十个标签。同一行看起来像同一个人写的：或粗或细，或正或斜。没有人告诉生成器什么是“书写者”，MNIST 的标签里也没有。
# 能量出来吗？比较同一行里各个数字的用墨量。

# %%
ink = model.draw(np.repeat(z[:100], 10, axis=0), np.tile(np.arange(10), 100)).mean(axis=(1, 2)).reshape(100, 10)
ink = (ink - ink.mean(0)) / ink.std(0)  # an eight has more ink than a one; that is not the writer's doing
within = np.corrcoef(ink.T)[~np.eye(10, dtype=bool)].mean()
print(f"mean correlation of the ink of two digits of one latent: {within:.2f}")
assert within > 0.4

# %% [markdown] lang="en"
# For digits of independent latents it would be 0; 1 would mean that their ink always rises and falls together. The
# label says *what*, the latent says *how*. That is why `inkgan write` can write a date in one hand: one latent for all
# characters.
#
# ## Legible or varied?
#
# Now and then a digit is hard to read. Shorten the latents: multiply all by ψ (psi) between 0 and 1. This is called
# truncation ([Karras et al. 2019](https://arxiv.org/abs/1812.04948) use both words). What do you gain, and what do you
# lose? (We also try 1.3. *Legible* means here: a classifier gives the digit that was asked for a probability of at
# least 0.99. *Variety* is how far the features of one class spread.)

# %% [markdown] lang="zh" of="9eb0b28d"
# 如果各个数字的隐变量互相独立，相关系数应该是 0；1 则表示用墨量总是同增同减。标签决定**写什么**，隐变量决定**怎么写**。所以 `inkgan write` 能用同一种笔迹写出一个日期：所有字符共用一个隐变量。
#
# ## 清晰还是多样？
#
# 偶尔会有难认的数字。把隐变量缩短：全部乘以 0 到 1 之间的 ψ（psi），这叫**截断**（truncation；ψ 和截断的叫法都见 [Karras 等 2019](https://arxiv.org/abs/1812.04948)）。得到什么，失去什么？
# （1.3 也试一试。这里说“清晰”，是指分类器认出所要的数字，把握至少是 0.99；“多样性”则是同一类的特征散得多开。）

# %% short=["(0.0, 0.3, 0.6, 0.8, 1.0, 1.3)", "(0.0, 0.6, 1.0)"]
from inkgan.evaluation.features import load_features

reader = load_features()
N = 400
labels = np.arange(N) % 10


def legible_and_varied(drawn):
    """The share of digits that a classifier reads with p >= 0.99, and the spread of features within a class."""
    sure = reader.probabilities(drawn[..., None])[np.arange(N), labels] >= 0.99
    features = reader(drawn[..., None])
    return sure.mean(), np.mean([features[labels == digit].var(axis=0).sum() for digit in range(10)])


psis = (0.0, 0.3, 0.6, 0.8, 1.0, 1.3)
found = [legible_and_varied(model.draw(np.float32(psi) * z[:N], labels)) for psi in psis]
for psi, (legible, varied) in zip(psis, found, strict=True):
    print(f"psi {psi}: {legible:.1%} legible, variety {varied:.1f}")
sheet(np.concatenate([model.draw(np.float32(psi) * z[:20], labels[:20]) for psi in psis]), columns=20)

# %%
assert found[0][0] == 1.0
assert found[0][1] < 0.01

# %% [markdown] lang="en"
# One row for each ψ, from 0 at the top. At ψ = 0 all twos are the same two: as legible as can be, and dull. Beyond 1
# the latents lie outside the shell, and some digits fall apart: here about one in eight is no longer surely legible.
# Why only outside? The generator has been neither inside nor outside. But the inside lies *between* latents that it
# knows, so it can fill the gap; outside, it has to continue beyond all of them.
#
# ## Only where it is needed
#
# At ψ = 1 only about two digits in a hundred are hard to read. Must all the others pay for them? Shrink only the
# latents of the hard ones, step by step, until the reader is sure.

# %% [markdown] lang="zh" of="bfaa3a1f"
# 每行一个 ψ，最上面是 0。ψ = 0 时所有的“2”都是同一个“2”：最清晰，也最乏味。超过 1，隐变量跑到了壳的外面，有些数字就散架了：在这里，大约八个里就有一个，分类器不再有把握。
# 为什么里面没事，外面有事？里面和外面生成器都没去过。但是里面处在它熟悉的隐变量**之间**，补得出来；到了外面，就只能凭空往外推。
#
# ## 只在需要的地方
#
# ψ = 1 时，一百个里难认的只有两个左右。要让所有数字都为它们付出代价吗？只缩短这几个数字的隐变量，一步一步来，直到分类器有把握为止。

# %%
scale = np.ones((N, 1), np.float32)
before = model.draw(z[:N], labels)
for _ in range(10):
    drawn = model.draw(scale * z[:N], labels)
    unsure = reader.probabilities(drawn[..., None])[np.arange(N), labels] < 0.99
    if not unsure.any():
        break
    scale[unsure] -= np.float32(0.1)
changed = np.flatnonzero(scale[:, 0] < 1)
legible, varied = legible_and_varied(drawn)
print(
    f"{len(changed)} of {N} digits changed; {legible:.1%} legible, variety {varied:.1f} instead of {legible_and_varied(before)[1]:.1f}"
)
sheet(np.concatenate([before[changed[:10]], drawn[changed[:10]]]), columns=min(10, len(changed)), scale=2)

# %%
assert legible == 1.0
assert varied > 0.95 * legible_and_varied(before)[1]
assert len(changed) < 0.1 * N

# %% [markdown] lang="en"
# Above are the hard ones, below is what became of them. The classifier reads all of them now, and the variety is nearly
# what it was. Compare that with ψ = 0.8 for all. (Can you read them all, too? The judge here is the one that chose
# which to shrink. An honest test asks another judge.)
#
# ## Backwards: from a digit to its latent
#
# So far we went from latents to digits. Now somebody wrote a digit on paper, and the generator has never seen it. Is
# there a latent that draws it? Search by gradient descent ([Zhu et al. 2016](https://arxiv.org/abs/1609.03552)): begin
# at z = 0 and make the difference of the pixels smaller, step by step. Which network learns here?

# %% [markdown] lang="zh" of="3107ecb2"
# 上排是难认的，下排是调整之后的。现在分类器全都认得出，多样性却几乎和原来一样。拿它和“一律 ψ = 0.8”比一比。
# （你也全都认得出吗？这里挑的和评的是同一个裁判，公正的检验要另请一个。）
#
# ## 反过来：从数字到隐变量
#
# 前面都是从隐变量到数字。现在有人在纸上写了一个数字，生成器从没见过。有没有一个隐变量能画出它？
# 用梯度下降来搜索（[Zhu 等 2016](https://arxiv.org/abs/1609.03552)）：从 z = 0 出发，一步步减小像素之差。这里学习的是哪个网络？

# %% short=["range(150)", "range(10)"]
from inkgan.generation.loading import read
from inkgan.networks.compact import build_generator

saved = read("fast", "latest")
generator = build_generator(saved.description).requires_grad_(False)
generator.load_state_dict({name: torch.from_numpy(array.astype(np.float32)) for name, array in saved.arrays.items()})


def find(targets, labels):
    """Latents whose images are near the targets [N, 28, 28, 1] in [0, 1]; also the images and how far they are off."""
    latents = torch.zeros(len(targets), 64, requires_grad=True)
    adam = torch.optim.Adam([latents], 0.1)
    for _ in range(150):
        apart = (generator(latents, labels) - targets).square().mean(dim=(1, 2, 3))
        adam.zero_grad()
        apart.sum().backward()
        adam.step()
    drawn = generator(latents.detach(), labels)
    return latents.detach(), drawn, (drawn - targets).square().mean(dim=(1, 2, 3))


mnist = load("mnist")
targets = torch.from_numpy(mnist.test.images[:10]) / 255
classes = torch.from_numpy(mnist.test.labels[:10])
latents, drawn, apart = find(targets, classes)
print(
    f"mean squared difference of a pixel: {apart.mean():.4f}; lengths of the latents: {latents.norm(dim=1).mean():.1f}"
)
sheet(np.concatenate([mnist.test.images[:10], (drawn.numpy() * 255).astype(np.uint8)]), columns=10, scale=2)

# %% full=true
at_zero = (generator(torch.zeros(10, 64), classes) - targets).square().mean()
print(f"at z = 0 it was {at_zero:.4f}: {1 - apart.mean() / at_zero:.0%} of the difference is explained")
assert apart.mean() < 0.15 * at_zero

# %% [markdown] lang="en"
# No network learns; the latent does. Above are real digits, below the nearest that the generator can draw. They are
# close, down to slant and loops, though none of the real ones was in its training. So it did not learn its training
# images by heart: it learned how digits vary.
#
# And now the surprise. We have the latent of somebody's seven. Give it the other labels.

# %% [markdown] lang="zh" of="294b9bae"
# 没有网络在学习，学习的是隐变量。上排是真数字，下排是生成器能画出的最接近的。连倾斜和圈的形状都很接近，尽管这些真数字没有一个在它的训练集里。
# 可见它不是背下了那些图，而是学会了数字可以怎样变化。
#
# 惊喜还在后头。我们有了某人写的“7”的隐变量，给它换上别的标签。

# %%
own_hand = model.draw(np.repeat(latents[:4].numpy(), 10, axis=0), np.tile(np.arange(10), 4))
rows = [np.concatenate([mnist.test.images[i], own_hand[10 * i : 10 * i + 10, :, :, None]], axis=None) for i in range(4)]
sheet(np.concatenate(rows).reshape(44, 28, 28), columns=11, scale=2)

# %% [markdown] lang="en"
# On the left the digit that somebody wrote; beside it, all ten digits as that hand might write them.
#
# And what do they look like in *your* hand? `inkgan export best -o page.html` (in a notebook: `inkgan.export("best",
# "page.html")`) makes a web page. Open it, choose *Your hand*, and draw a digit: the search that you have just written
# finds its latent. Under *Explore* you walk over a plane of latents with the pointer.
#
# <!-- play: hand -->
#
# ## What can it not draw?
#
# Search for the latents of things that are not digits: a cross, a frame, a digit flipped top to bottom, and noise.
# Which will fail?

# %% [markdown] lang="zh" of="31628a68"
# 最左边是某人写的数字，右边的十个，就是用这种笔迹可能写成的样子。
#
# 换成**你的**笔迹又会怎样？`inkgan export best -o page.html`（在 notebook 里用 `inkgan.export("best", "page.html")`）会做出一个网页。
# 打开它，选“你的笔迹”，写一个数字：你刚才写的那种搜索会找到它的隐变量。在“探索”里，可以用鼠标或手指在一个隐变量平面上散步。
#
# <!-- play: hand -->
#
# ## 它画不出什么？
#
# 给不是数字的东西找隐变量：一个叉、一个框、一个上下翻转的数字，还有噪声。哪些会失败？

# %%
strange = np.zeros((4, 28, 28, 1), np.float32)
for i in range(6, 22):
    strange[0, i, i - 1 : i + 2] = strange[0, i, 27 - i - 1 : 27 - i + 2] = 1
strange[1, 5:23, 5:23] = 1
strange[1, 8:20, 8:20] = 0
strange[2] = mnist.test.images[0, ::-1] / 255
strange[3] = random.random((28, 28, 1))
labels_tried = torch.tensor([8, 0, 7, 8])
places, nearest, off = find(torch.from_numpy(strange), labels_tried)
for i, name in enumerate(["cross", "frame", "upside down", "noise"]):
    print(f"{name:12} difference {off[i]:.4f}, length of the latent {places[i].norm():.1f}")
sheet((np.concatenate([strange, nearest.numpy()]) * 255).astype(np.uint8), columns=4, scale=3)

# %% full=true
assert off[2:].min() > 3 * apart.mean()
assert min(place.norm() for place in places) > 1.4 * latents.norm(dim=1).mean()

# %% [markdown] lang="en"
# Noise fails: a grey blotch. 64 numbers are far fewer than 784. The flipped seven and the cross come out only roughly:
# their strokes have lost some of their length, and their differences are larger than those of real digits. The frame is
# a surprise: it comes out about as well as a digit, as an angular zero. But look at the lengths. Real digits are drawn
# by latents whose length is about 7, these by latents about twice as long, far outside the shell. The generator *can*
# draw them, but in a lifetime of random latents it never *would*. Both numbers together, difference and length, say how
# unusual an image is.
#
# ## Exercises
#
# Try each before you unfold its solution, and the answer below it.
#
# **1.** Is there a direction for "more ink"? Fit a linear function with `np.linalg.lstsq`: ink as a function of the 64
# numbers. Its 64 coefficients are a direction; walk along it.

# %% [markdown] lang="zh" of="fe701eb6"
# 噪声失败了，只画出一团灰：64 个数毕竟远少于 784 个。翻转的“7”和叉只画了个大概：笔画短了一截，差别也比真数字的大。
# 框却出人意料：画得和真数字差不多好，是一个棱角分明的“0”。不过请看长度：真数字的隐变量长约 7，这几张图的隐变量大约有两倍长，远在壳外。
# 生成器**画得出**这些图，可是随机抽隐变量，一辈子也**碰不上**一次。差别和长度这两个数合在一起，才说明一张图有多不寻常。
#
# ## 练习
#
# 每题先自己试，再展开参考代码和下面的答案。
#
# **1.** 有没有一个方向代表“更多的墨”？用 `np.linalg.lstsq` 拟合一个线性函数：把用墨量写成那 64 个数的函数。它的 64 个系数就是一个方向，沿着它走。

# %% solution=true
fives = model.draw(z[:600], "5").mean(axis=(1, 2))
direction = np.linalg.lstsq(z[:600], fives - fives.mean(), rcond=None)[0]
direction /= np.linalg.norm(direction)
amounts = np.linspace(-3, 3, 9, dtype=np.float32)
start = z[0] - (z[0] @ direction) * direction
walk = model.draw((start + amounts[:, None] * direction).astype(np.float32), "5")
print("ink on the way:", [round(float(x), 1) for x in walk.mean(axis=(1, 2))])
sheet(walk, columns=9, scale=2)

# %% solution=true
assert walk[-1].mean() > 1.2 * walk[0].mean()

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# There is one, and nobody put it there: from left to right the stroke gets thicker, and the ink grows about fourfold.
#
# </details>
#
# **2.** What does the latent draw whose 64 numbers are all 0? Compare it with the mean of many digits of a class.

# %% [markdown] lang="zh" of="d6cdea17"
# <details><summary>答案</summary>
#
# 有，而且不是谁特意放进去的：从左到右，笔画越来越粗，用墨量增加到四倍左右。
#
# </details>
#
# **2.** 64 个数全是 0 的隐变量画出什么？和同一类许多数字的平均值比一比。

# %% solution=true
centre = model.draw(np.zeros((10, 64), np.float32), np.arange(10))
means = np.stack([mnist.train.images[mnist.train.labels == digit][:, :, :, 0].mean(axis=0) for digit in range(10)])
sharpness = [float(np.abs(np.diff(np.asarray(some, float), axis=2)).mean()) for some in (centre, means)]
print("mean step between neighbouring pixels:", [round(x, 1) for x in sharpness])
sheet(np.concatenate([centre, means.astype(np.uint8)]), columns=10, scale=2)

# %% solution=true
assert sharpness[0] > 1.3 * sharpness[1]

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# Above is what the zeros draw, below the mean image. The centre of all latents gives a sharp digit in the most ordinary
# hand; the mean of pixels is a blur. Averaging latents is not averaging images.
#
# </details>
#
# ## Can you answer these?
#
# <details><summary>Why an arc and not a straight line?</summary>
#
# Between two points of the shell the straight line leaves it.
#
# </details>
#
# <details><summary>What does truncation cost?</summary>
#
# Variety.
#
# </details>
#
# <details><summary>You found a latent for a photograph with little error. What did the generator learn from it?</summary>
#
# Nothing. Its weights stayed as they were.
#
# </details>

# %% [markdown] lang="zh" of="cce78216"
# <details><summary>答案</summary>
#
# 上排是全零的隐变量画的，下排是平均图。隐变量空间的正中间是一个清楚的数字，写法最普通；像素的平均却是一团模糊。隐变量的平均不是图像的平均。
#
# </details>
#
# ## 自测
#
# <details><summary>为什么走弧线，不走直线？</summary>
#
# 壳上两点之间的直线会离开壳。
#
# </details>
#
# <details><summary>截断的代价是什么？</summary>
#
# 多样性。
#
# </details>
#
# <details><summary>你给一张照片找到了误差很小的隐变量。生成器从中学到了什么？</summary>
#
# 什么也没学到，它的权重没有变。
#
# </details>
