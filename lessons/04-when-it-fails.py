# %% [markdown] lang="en"
# # 4 · When it fails
#
# A GAN can fail in many ways, and from the outside most look alike: bad pictures. This lesson is a museum of failures.
# Each one is made on purpose, with a setting or a few lines of code, on small images and in seconds. The first ten come
# with a picture, their losses, and what inkgan's doctor says; the last four are invisible to the doctor. The doctor
# judges by symptoms, and now and then it is wrong about the cause: the text then says so, and names the cure. Once you
# have seen them all, you will recognise the next one.

# %% [markdown] lang="zh" of="55db2514"
# # 4 · 失败陈列馆
#
# GAN 的失败方式很多，从外面看却都差不多：图不好。这一课把各种失败陈列出来。每一种都是故意制造的，只用一个设置或几行代码，
# 图很小，几秒钟就好。前十种配有图、损失曲线和 inkgan 的“医生”说的话，后四种医生看不见。医生凭症状诊断，有时会看错病因；看错的地方，课文会指出来，并说明治法。全部看过一遍，下次遇到就认得出来。

# %% [markdown] lang="en"
# ## The laboratory
#
# We need a run that takes seconds: digits of 14×14 pixels, networks a third as wide as usual (16 channels, not 48), 240
# steps of 16 images. The *recipe* is `fast`: small fast networks, their losses and their optimisers; lesson 6 builds it
# up step by step. In the code it is the class `Compact`. Its `ema_generator` is the generator with averaged weights (an
# exponential moving average), which draws the pictures. `play` is a training loop with two hooks: `batch` changes what
# the run sees, `tamper` changes the networks. Every 30 steps the **doctor** has a look: does the generator draw all
# that it should, do the images vary, who is winning?

# %% [markdown] lang="zh" of="52e4d8f3"
# ## 实验室
#
# 我们需要几秒钟就能跑完的训练：14×14 像素的数字，网络的宽度是平时的三分之一（16 个通道，平时是 48 个），240 步，每步 16 张图。用的**配方**（recipe）是 `fast`：小而快的网络，连同损失和优化器，第 6 课会一步一步搭起来；它在代码里是 `Compact` 这个类。其中的 `ema_generator` 也是生成器，它的权重是训练中各步权重的指数移动平均（EMA），图由它来画。`play` 是一个留了两个入口的训练循环：`batch` 可以换掉它看到的图，`tamper` 可以改动网络。每 30 步**医生**来看一次：
# 该画的都画了吗？图和图之间有差别吗？谁占上风？

# %% short=["STEPS = 240", "STEPS = 8"]
import dataclasses

import numpy as np
import torch
from PIL import Image

from inkgan.config import resolve
from inkgan.data import load
from inkgan.errors import DivergenceError
from inkgan.images import curves, sheet, to_uint8
from inkgan.training.compact import Compact
from inkgan.training.doctor import judged
from inkgan.training.doctor.probe import Probe
from inkgan.training.loop import Batches
from inkgan.training.recipe import StepInfo

STEPS = 240
CPU = torch.device("cpu")
torch.set_num_threads(1)  # networks this small are not worth sharing
torch.manual_seed(0)  # the same random numbers each time
mnist = load("mnist", resize=14)
small = {"batch_size": 16, "generator.channels": 16, "discriminator.channels": 16, "latent_dim": 16}


def play(settings=None, data=mnist, batch=None, tamper=None):
    """Train, with the doctor watching; returns the settings, what was logged, images of 20 latents, and the recipe."""
    config = resolve(options={**small, "steps": STEPS, **(settings or {})})
    recipe = Compact(config, data.image_shape, len(data.class_names))
    if tamper:
        tamper(recipe)
    batches, probe, lines = Batches(data, config, CPU), Probe(recipe, data, config, CPU), []
    for step in range(STEPS + 1):
        real, labels = batches.batch(step)
        if batch:
            real, labels = batch(step, real, labels)
        try:
            terms = recipe.step(StepInfo(step, step, step / STEPS), real, labels)
        except DivergenceError:
            lines.append({"step": step, "not_finite": 1.0})
            break
        if step % 10 == 0:
            lines.append({"step": step, **{name: term.item() for name, term in terms.items()}})
        if step % 30 == 0:
            lines.append({"step": step, **{f"doctor/{name}": value for name, value in probe.look(real).items()}})
    z = torch.from_numpy(np.random.default_rng(5).standard_normal((20, 16), dtype=np.float32))
    drawn = recipe.draw(z, torch.arange(20) % 10)
    return config, lines, to_uint8(drawn.detach().numpy()), recipe


def with_losses(drawn, lines):
    """Images, 20 in a row, above the losses of the discriminator and of the generator."""
    course = [
        [line.get(name, np.nan) for line in lines if name in line] for name in ("loss_discriminator", "loss_generator")
    ]
    last = max((line["step"] for line in lines if "loss_generator" in line), default=1)  # 1 if it diverged at once
    pictures = [
        sheet(drawn, columns=20, scale=2).convert("RGB"),
        curves(*course, width=640, height=120, across=(0, last)),
    ]
    both = Image.new("RGB", (640, sum(one.height for one in pictures)), "white")
    both.paste(pictures[0], (0, 0))
    both.paste(pictures[1], (0, pictures[0].height))
    return both


healthy_config, healthy_lines, healthy, healthy_recipe = play()
with_losses(healthy, healthy_lines)

# %% full=true
assert judged(healthy_config, healthy_lines).findings == []

# %% [markdown] lang="en"
# A healthy run: each digit twice, from two latents, and under them the losses from step to step, the discriminator's in
# blue and the generator's in orange. Each hovers around a level of its own. The doctor finds nothing. In every picture
# below, the first row is the faulty run, the second row the same seed without the fault, and the losses are those of
# the faulty run. Above the picture are the doctor's findings, at
# most the first two.

# %% [markdown] lang="zh" of="678ce73d"
# 这是一次健康的训练：每个数字画两次，来自两个隐变量；下面的曲线是损失，横轴是步数，蓝线是判别器的，橙线是生成器的，各自在一个水平上下波动。医生没有发现问题。
# 后面每张图里，第一行是出了毛病的训练，第二行是同一个种子、没有毛病时的结果，损失是出毛病那次的；图的上方是医生说的话，最多打印前两条。
#
# 医生说英文，冒号前面是病名，下一行是药方。病名的意思：`not-finite` 出现了无穷大或非数（NaN），`blown-up` 爆炸，`discriminator-wins` 判别器赢了，`discriminator-lost` 判别器输了，`collapsed` 崩溃，`identical` 图一模一样，`class-dropped` 某一类几乎不画，`class-swollen` 某一类画得太多，`class-wrong` 某一类画成了别的，`oscillating` 各类忽有忽无，`learning-rate` 学习率不对，`other-range` 范围对不上，`dark-ink` 黑白颠倒，`memorising` 背下了训练图，`few-images` 图太少。另有两个，这一课里见不到：`standing-still` 生成器不再学习，`stuck-units` 有的神经元卡住不动。


# %%
missed = []  # what the doctor was expected to find, and did not


def case(expected, **fault):
    """Play with a fault, print what the doctor says, and return the picture."""
    config, lines, drawn, recipe = play(**fault)
    findings = judged(config, lines, mnist.class_names).findings
    for found in findings[:2]:
        print(f"{found.rule.name}: {found.sentence}.\n    {found.remedy}")
    if expected and expected not in [found.rule.name for found in findings]:
        missed.append(expected)
    return with_losses(np.concatenate([drawn, healthy]), lines), findings, recipe


# %% [markdown] lang="en"
# ## 1. The blow-up
#
# What happens with a learning rate a hundred times as large?

# %% [markdown] lang="zh" of="aa8abbbf"
# ## 1. 爆炸
#
# 学习率放大一百倍，会怎样？

# %%
picture, blown_up, _ = case("blown-up", settings={"discriminator.learning_rate": 0.3, "generator.learning_rate": 0.3})
picture

# %% [markdown] lang="en"
# The losses reach hundreds of thousands, and the picture is a pattern of black and white that no latent changes. The
# cure is the first thing to try whenever losses explode: smaller learning rates. The doctor's remedy is a `--set` for
# the next run. Does it really restore the healthy configuration?

# %% [markdown] lang="zh" of="5fdace1d"
# 损失涨到几十万，图成了黑白花纹，换隐变量也不变。损失一爆炸，首先该试的就是减小学习率。医生开的药方是下次训练用的 `--set`。
# 照方抓药，真能回到健康的设置吗？

# %% full=true
cured = resolve(
    options={**small, "steps": STEPS, "discriminator.learning_rate": 0.3, "generator.learning_rate": 0.3},
    overrides=blown_up[0].remedy.settings,
)
print("after the remedy, the settings are those of the healthy run")
assert cured == healthy_config

# %% [markdown] lang="en"
# ## 2. The discriminator wins
#
# The recipe has a penalty that keeps the discriminator smooth (lesson 6 explains it). Take it away, let the
# discriminator learn three times as fast, and the generator thirty times as slowly. Who learns from whom?

# %% [markdown] lang="zh" of="d1ca69ab"
# ## 2. 判别器赢了
#
# 这套配方里有一个惩罚项，让判别器保持平滑（第 6 课会解释）。把它去掉，再让判别器的学习率变成三倍，生成器的变成三十分之一。
# 谁还能从谁那里学到东西？

# %%
wins = {"penalty.weight": 0.0, "discriminator.learning_rate": 9e-3, "generator.learning_rate": 1e-4}
picture, _, _ = case("discriminator-wins", settings=wins)
picture

# %% [markdown] lang="en"
# The discriminator's loss stays near 0, the generator's climbs, and the picture is fog. But did lesson 2 not promise a
# strong gradient to a generator that is losing? The gradient is strong, but it points nowhere useful. Think of it this
# way: this discriminator needs only a few giveaways to tell the images apart, and its gradient leads along those, not
# towards a digit. Since its own loss is 0, it learns nothing more that it could pass on. (The loss of this recipe
# compares pairs, as in exercise 2 of lesson 2. There, too, the loser gets the strong push.) A perfect judge teaches
# nothing. The cure is balance: equal learning rates and the penalty, which you will meet again in lesson 6.
#
# ## 3. The discriminator loses
#
# The other way round: what does a generator learn from a judge that knows nothing?

# %% [markdown] lang="zh" of="4854935c"
# 判别器的损失一直贴着 0，生成器的不断上升，图是一片雾。可是第 2 课不是说，落后的生成器会得到很强的梯度吗？强是强，方向却没有用。
# 不妨这样想：这样的判别器只靠几处破绽就能分出真假，它的梯度指向这几处，不指向数字；它自己的损失又是 0，不再学到新东西，也就没有新东西可教。（这套配方的损失是成对比较的，就是第 2 课练习 2 里的那种；在那里，输的一方得到的推力同样很大。）完美的裁判什么也教不了。
# 治法是平衡：两边用同样的学习率，再加上惩罚项，第 6 课还会讲到它。
#
# ## 3. 判别器输了
#
# 反过来：裁判什么都不懂，生成器能学到什么？

# %%
picture, _, _ = case("discriminator-lost", settings={"discriminator.learning_rate": 1e-9})
picture

# %% [markdown] lang="en"
# It finds a pattern that this judge likes, and stays with it. The generator's loss looks excellent. Remember lesson 2:
# a loss that falls to nothing at once is a reason for doubt.
#
# ## 4. Mode collapse
#
# The peaks of a distribution are its *modes*: think of each way to write a seven as one. A generator that draws only a
# few of them has collapsed; in the worst case every latent gives the same image. We force this by dropping the latent
# on its way in, a one-line mistake that happens in real code (a forgotten argument, a dimension of 0).

# %% [markdown] lang="zh" of="c6b58afc"
# 它找到一个裁判喜欢的花纹，就再也不动了。生成器的损失看上去好极了。还记得第 2 课吗？损失一下子掉到几乎为零，就该起疑心。
#
# ## 4. 模式崩溃
#
# 分布的一个个峰叫作**模式**（mode）：不妨把“7”的每种写法看成一个模式。生成器只画得出其中几种，就是**模式崩溃**（mode collapse）；
# 最坏的情况下，所有隐变量都得到同一张图。要让它一定发生，在半路上弄丢隐变量就行。这种错一行就能犯，真实代码里也有（漏了一个参数，或者有一维的大小是 0）。


# %%
def without_latent(_network, given):
    return torch.zeros_like(given[0]), *given[1:]


def forget_latents(recipe):
    recipe.generator.register_forward_pre_hook(without_latent)
    recipe.ema_generator.register_forward_pre_hook(without_latent)


picture, _, _ = case("identical", tamper=forget_latents)
picture

# %% [markdown] lang="en"
# Look at the first row: the first and the second 0 are the same, and so are the two of every other digit. Each single
# image may even be good, so you never see a collapse in one image. Look at ten latents of the same class, or count: the
# doctor compares how much images of a class differ from each other with how much real ones do. Its first remedy is for
# a collapse that training brings about; it changes nothing here. The cure is its second remedy: find the line that
# drops the latent.
#
# ## 5. A label that never comes up
#
# `randint(0, 9)` in NumPy gives 0 to 8. What happens to the nines?

# %% [markdown] lang="zh" of="2b4b5aad"
# 看第一行：两个“0”一模一样，其他数字也是。单看每一张甚至可能不错，所以只看一张图永远发现不了模式崩溃。
# 要看同一类的十个隐变量，或者用数来说话：医生拿同一类生成图之间的差别，去和真图之间的差别比。
# 它的第一个药方对付的是训练造成的崩溃，在这里不起作用；治法是第二个：找出弄丢隐变量的那一行。
#
# ## 5. 从来没被抽到的标签
#
# NumPy 的 `randint(0, 9)` 给出 0 到 8。那么“9”会怎样？


# %%
def never_nine(step, real, labels):
    others = torch.nonzero(labels != 9).flatten()
    places = torch.where(labels == 9, others[0], torch.arange(len(labels)))
    return real[places], labels[places]


picture, _, _ = case("class-dropped", batch=never_nine)
picture

# %% [markdown] lang="en"
# The other nine digits are fine; the nine is rubbish. No loss shows it, because in training nobody ever asks for a
# nine. Count what you draw, class by class. The cure is to bring the nines back into the batches; the doctor is right
# to send you to the data.
#
# ## 6. Another range
#
# The images come in [−1, 1], as for a generator that ends in tanh (an activation function with values from −1 to 1),
# but this one ends in a sigmoid: [0, 1]. Or they were "normalised" to mean 0. What will the discriminator learn first?

# %% [markdown] lang="zh" of="c5101ee3"
# 其余九个数字都好，“9”却是一团糟。这在哪个损失里都看不出来，因为训练时从来没人要它画“9”。画出来的东西，要按类别数一数。治法是把“9”放回每一批里；医生让你去查数据，说对了。
#
# ## 6. 范围对不上
#
# 图像的范围是 [−1, 1]（和末端是 tanh 的生成器配套，这个激活函数的值在 −1 和 1 之间），这里的生成器末端却是 sigmoid：[0, 1]。或者图像被“归一化”到了均值 0。判别器首先会学到什么？

# %%
picture, _, _ = case("other-range", batch=lambda step, real, labels: (real * 2 - 1, labels))
picture

# %% [markdown] lang="en"
# Real paper is −1, and the generator cannot go below 0. So the discriminator needs only one pixel to tell real from
# generated. The generator answers by making everything as extreme as it can: thin, broken strokes. The cure is to look
# at `min()` and `max()` of both kinds of images, before the first step.
#
# ## 7. Dark on light
#
# Scans are dark ink on white paper. In MNIST's numbers it is the other way round: ink is 255 and paper 0, white on
# black if you show them as they are. (`sheet` shows ink dark.) Is it a problem to learn one instead of the other?

# %% [markdown] lang="zh" of="d74b0df8"
# 真图的纸是 −1，生成器却到不了 0 以下，判别器只看一个像素就能分出真假。生成器只好把一切推向极端：笔画又细又断。
# 治法：第一步之前，先看看两边的 `min()` 和 `max()`。
#
# ## 7. 黑白颠倒
#
# 扫描件是白纸黑字。MNIST 的数值正相反：墨是 255，纸是 0，直接显示就是黑底白字。（`sheet` 会把墨显示成黑的。）学反了要紧吗？

# %%
picture, _, _ = case("dark-ink", batch=lambda step, real, labels: (1 - real, labels))
picture

# %% [markdown] lang="en"
# It learns negatives, and not badly. But everything that you mix them with, compare them with, or write with them is
# the other way round. For your own folders, inkgan finds out which it is (`data.ink=auto`).
#
# ## 8. No shuffling
#
# The file is sorted by class, and somebody forgot to shuffle. For a while every batch is all zeros, then all ones, and
# so on. After the nines, what is left of the zeros?

# %% [markdown] lang="zh" of="a793c020"
# 它学会了画反相的图，画得还不差。但是和别的图混用、拿去评估、用来写字，全都是反的。对你自己的文件夹，inkgan 会自己看是哪一种（`data.ink=auto`）。
#
# ## 8. 没有打乱顺序
#
# 文件按类别排好了序，有人忘了打乱。于是先有一阵每批全是“0”，接着全是“1”，依此类推。等学完“9”，“0”还剩多少？

# %%
in_order = torch.from_numpy(np.argsort(mnist.train.labels, kind="stable"))
all_images, all_labels = torch.from_numpy(mnist.train.images), torch.from_numpy(mnist.train.labels)


def not_shuffled(step, real, labels):
    places = in_order[torch.arange(16) + step * (len(in_order) - 16) // STEPS]
    return all_images[places] / 255, all_labels[places]


picture, _, _ = case("oscillating", batch=not_shuffled)
picture

# %% [markdown] lang="en"
# Most digits up to 6 can still be read, though they have changed, and those that came last are pale. Why does the
# doctor say that so many have turned into nines? In this recipe the discriminator learns to name digits, too, and the
# doctor goes by its names. It has just seen nothing but nines, and takes nearly everything for one. Networks have no
# memory but their weights, and those follow whatever comes in. The doctor sees only the symptom. The cure is not in the
# settings: shuffle.
#
# ## 9. Going round in circles
#
# No penalty, and learning rates ten times as large: not enough to blow up. The two networks chase each other instead.

# %% [markdown] lang="zh" of="37f303ae"
# “0”到“6”大多还认得出，只是变了样；最后学的几个还很淡。那医生为什么说这么多数字变成了“9”？在这套配方里，判别器还要学会说出图上是哪个数字，医生就以它说的为准；而它刚刚看到的全是“9”，现在几乎把一切都认作“9”。
# 网络的记忆只有权重，而权重总是跟着刚进来的数据走。医生看到的只是症状；治法不在设置里，而是打乱顺序。
#
# ## 9. 原地转圈
#
# 没有惩罚项，学习率放大到十倍：还不到爆炸的地步，两个网络却开始互相追逐。

# %%
circles = {"penalty.weight": 0.0, "discriminator.learning_rate": 3e-2, "generator.learning_rate": 3e-2}
picture, findings, _ = case("", settings=circles)
picture

# %% full=true
assert findings

# %% [markdown] lang="en"
# The generator's loss comes in waves that grow. Next to them the discriminator's looks flat, as in number 2. The digits
# are crumbs, and one class is drawn in place of another. The doctor sees only that classes are missing or mixed up,
# and is wrong about the cause: nothing is wrong with the images or their labels. The cure is smaller learning rates and
# the penalty. Why do they circle? Imagine the simplest game: each player has one number, x and y; the first
# player wants x·y small, the second wants it large. Each follows its own gradient. Where do they go? ([Mescheder et al.
# 2018](https://arxiv.org/abs/1801.04406) study a game like this one.)

# %% [markdown] lang="zh" of="1279e414"
# 生成器的损失一浪高过一浪；和它相比，判别器的损失看上去是平的，就像第 2 种失败。数字成了碎屑，要这一类却画成那一类。
# 医生只看到了症状：有的类别几乎不画，有的画成了别的。病因却看错了：图和标签都没有毛病。治法是调低学习率，加上惩罚项。为什么会转圈？想象一个最简单的博弈：每人一个数，x 和 y；
# 一方想让 x·y 小，另一方想让它大，各自沿着自己的梯度走。他们会走到哪里？（[Mescheder 等 2018](https://arxiv.org/abs/1801.04406) 研究的就是这样的博弈。）

# %%
x, y, path = 1.0, 0.0, []
for _ in range(400):
    x, y = x - 0.05 * y, y + 0.05 * x
    path.append((x, y))
distance_from_rest = [np.hypot(*point) for point in path]
print("distance from the resting point: 1 at first,", round(distance_from_rest[-1], 2), "after 400 steps")
curves([point[0] for point in path], [point[1] for point in path], across=(1, 400))

# %%
assert distance_from_rest[-1] > 1.5

# %% [markdown] lang="en"
# They never arrive. (Blue is x, orange is y, from step to step; both would be at rest at 0.) Each step is right by
# itself, but together the steps lead round and outwards: the waves grow. A penalty works like friction; averaging the
# weights takes the middle of the circle. Exercise 2 tries the first, lesson 6 the second.
#
# ## 10. Fifty images
#
# With only 50 training images the discriminator can know each one by heart. What does it say about real images that it
# has never seen?

# %% [markdown] lang="zh" of="8773b95f"
# 他们永远走不到静止点。（蓝线是 x，橙线是 y，横轴是步数；两者都是 0 时才会静止。）每一步单独看都对，合起来却是一边转圈一边往外走，所以曲线的波动越来越大。惩罚项就像摩擦力，权重的平均则取圆圈的中心。
# 前者在练习 2 里试，后者在第 6 课里试。
#
# ## 10. 五十张图
#
# 训练图只有 50 张，判别器可以全都背下来。对没见过的真图，它会怎么说？

# %%
few = dataclasses.replace(mnist, train=mnist.train[slice(0, 50)])
picture, findings, recipe = case("few-images", data=few)
picture

# %% full=true
assert missed == []

# %% [markdown] lang="en"
# Most of the pictures look no worse; that is the trap. The discriminator finds training images more real than equally
# real held-out ones, which nobody trained on; number 11 measures by how much. This is called **overfitting**: it learned
# its training images one by one, not what digits have in common. What it teaches then is not "draw a digit" but "draw
# one of these fifty". The cure is more images.
#
# ## 11. Evaluating on the training data
#
# The same trap in one number. How well does this discriminator tell real from generated: on its training images, and on
# images that it has never seen? We take the mean logit of real images minus that of generated ones.

# %% [markdown] lang="zh" of="9a30a5bc"
# 大多数图看上去并不差，这正是陷阱所在。训练图和留出图（没参加过训练的图）同样真实，判别器却觉得训练图更真；差多少，第 11 种会量出来。这叫**过拟合**（overfitting）：它记住的是一张张训练图，而不是数字的共同特点。这时它教的不再是“画一个数字”，而是“画这五十张里的一张”。治法是更多的图。
#
# ## 11. 在训练数据上评估
#
# 同一个陷阱，用一个数来说。这个判别器分辨真假的本事，在训练图上如何，在从没见过的图上又如何？我们用真图的平均 logit 减去生成的图的平均 logit。

# %%
with torch.no_grad():
    fake = recipe.draw(torch.randn(50, 16), torch.from_numpy(few.train.labels))
    margins = {}
    for name, split in {"training images": few.train, "held-out images": mnist.validation[slice(0, 50)]}.items():
        shown, labels = torch.from_numpy(split.images) / 255, torch.from_numpy(split.labels)
        margins[name] = (
            recipe.discriminate(shown, labels)[0].mean() - recipe.discriminate(fake, labels)[0].mean()
        ).item()
print({name: round(margin, 2) for name, margin in margins.items()})

# %% full=true
assert margins["training images"] > margins["held-out images"] + 0.1

# %% [markdown] lang="en"
# The lead of real images over generated ones is much larger for the training images. Whatever you measure, measure it
# on images that nobody trained on.
#
# ## 12. ε = 0.8 in batch normalisation
#
# A widely copied GAN writes `BatchNorm1d(n, 0.8)`. In PyTorch the second argument is ε, not the momentum that the
# author of the original had in mind (which says how fast the stored statistics follow the batches). Batch normalisation
# divides by √(variance + ε). What does ε = 0.8 do to a weak signal?

# %% [markdown] lang="zh" of="072dd8e3"
# 真图比生成的图领先多少？在训练图上，领先的幅度大得多。无论评估什么，都要用没参加过训练的图。
#
# ## 12. 批归一化里的 ε = 0.8
#
# 有一份 GAN 代码流传很广，里面写着 `BatchNorm1d(n, 0.8)`。在 PyTorch 里第二个参数是 ε，不是原作者所指的动量（它决定存下来的统计量随每一批更新得多快）。
# 批归一化要除以 √（方差 + ε）。ε = 0.8 会把微弱的信号变成什么样？

# %%
signal = 0.1 * torch.randn(1000, 1)
right, wrong = torch.nn.BatchNorm1d(1, eps=1e-5), torch.nn.BatchNorm1d(1, 0.8)
print("spread:", round(signal.std().item(), 3), "->", [round(norm(signal).std().item(), 3) for norm in (right, wrong)])
assert right(signal).std() > 0.99
assert wrong(signal).std() < 0.15

# %% [markdown] lang="en"
# The spread stays near 0.1 instead of becoming 1: the layer is nearly switched off. Nothing crashes, and the pictures
# are merely worse. Name your arguments: `eps=`, `momentum=`.
#
# ## 13. Softmax before cross-entropy
#
# You know this one from lesson 2: the loss cannot fall below 1.461. What does it do to learning? Train two small
# classifiers on the same digits.

# %% [markdown] lang="zh" of="b12394ac"
# 标准差没有变成 1，还是 0.1 上下：这一层几乎被关掉了。程序不会崩，只是图差一些。参数要写名字：`eps=`、`momentum=`。
#
# ## 13. 交叉熵之前多了一个 softmax
#
# 这个在第 2 课见过：损失降不到 1.461 以下。它对学习有什么影响？用同样的数字训练两个小分类器。

# %%
import torch.nn.functional as F

ends = {}
for name, twice in (("once", False), ("twice", True)):
    torch.manual_seed(0)
    classifier = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(196, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
    )
    adam = torch.optim.Adam(classifier.parameters(), 3e-3)
    course = []
    for step in range(200):
        places = torch.arange(64) + 64 * step
        scores = classifier(all_images[places] / 255)
        loss = F.cross_entropy(scores.softmax(1) if twice else scores, all_labels[places])
        adam.zero_grad()
        loss.backward()
        adam.step()
        course.append(loss.item())
    ends[name] = course
print("loss at the end:", {name: round(float(np.mean(course[-20:])), 3) for name, course in ends.items()})
curves(*ends.values(), across=(1, 200))

# %%
assert np.mean(ends["once"][-20:]) < 0.6
assert min(ends["twice"]) > 1.461

# %% [markdown] lang="en"
# Blue: one softmax. Orange: two. The orange one stays high for ever, yet it seems to learn; so the mistake survives.
# PyTorch's `cross_entropy` and `BCEWithLogitsLoss` (cross-entropy for two classes) want logits.
#
# ## 14. Drawing in training mode
#
# The tutorial's generator normalises by the batch, even when it draws. Draw latent number 0 with 1 other, with 19, and
# with 99 others. Is it the same image?

# %% [markdown] lang="zh" of="88c47d2d"
# 蓝线是一个 softmax，橙线是两个。橙线一直降不下来，却又像在学，所以这种错误能活很久。PyTorch 的 `cross_entropy` 和 `BCEWithLogitsLoss`（两类时的交叉熵）要的都是 logit。
#
# ## 14. 用训练模式画图
#
# 教程的生成器用当前这一批做归一化，画图时也是。第 0 号隐变量，先和另外 1 个一起画，再和另外 19 个、99 个一起画，还是同一张图吗？

# %%
import inkgan

tutorial = inkgan.load("tutorial")
together = [tutorial.sample(n, seed=3, statistics="batch")[0] for n in (2, 20, 100)]
alone = [tutorial.sample(n, seed=3)[0] for n in (2, 20, 100)]
change = int(np.abs(together[0].astype(int) - together[2]).max())
print(
    "largest change of a pixel:",
    change,
    "with the batch's statistics,",
    int(np.abs(alone[0].astype(int) - alone[2]).max()),
    "with fixed ones",
)
sheet(np.stack(together + alone), columns=3, scale=3)

# %%
assert change > 20
assert np.array_equal(alone[0], alone[2])

# %% [markdown] lang="en"
# Above with the batch's statistics, below with fixed ones. You hardly see it, but in the upper row some pixel changes
# by about a hundred of the 256 grey levels, only because of the company that the image keeps. (Fixed statistics are a
# mean and a deviation for each channel, measured once over many latents and kept.) In PyTorch, call `generator.eval()`
# before you draw: this switches training mode off, and batch normalisation then uses the statistics that it has kept.
#
# ## Exercises
#
# Try each before you unfold its solution, and the answer below it.
#
# **1.** You see a run's losses: the discriminator's near 0, the generator's rising. Which of the fourteen can it be?
# What would you look at next, if you may look at one thing only?
#
# <details><summary>Answer</summary>
#
# It can be number 2, 6 or 9, or a bad start as in lesson 3. Look at `min()` and `max()` of real and generated pixels:
# it is the cheapest question, and it tells you whether it is number 6.
#
# </details>
#
# **2.** Mend the circle of number 9 with friction: after each step, multiply x and y by the same number just below one.
# How far below is enough?

# %% [markdown] lang="zh" of="8a2d3964"
# 上排用当前这一批的统计量，下排用固定的统计量。肉眼几乎看不出，但上排变得最多的一个像素，在这里变了一百级左右（灰度一共 256 级），只因为同批的邻居换了。（固定的统计量，就是事先用许多隐变量量好、存下来的均值和标准差，每个通道一份。）
# 在 PyTorch 里，画图之前要调用 `generator.eval()`：它关掉训练模式，让批归一化改用存下来的统计量。
#
# ## 练习
#
# 每题先自己试，再展开参考代码和下面的答案。
#
# **1.** 你看到一次训练的损失：判别器的接近 0，生成器的一直上升。可能是这十四种里的哪几种？下一步只许看一样东西，你看什么？
#
# <details><summary>答案</summary>
#
# 可能是第 2、第 6 或第 9 种，或者像第 3 课那样开局不利。先看真图和生成的图的 `min()` 和 `max()`：代价最小，又能看出是不是第 6 种。
#
# </details>
#
# **2.** 用摩擦力治好第 9 种里的圆圈：每走一步，把 x 和 y 都乘上同一个略小于 1 的数。小到多少就够了？

# %% solution=true
for factor in (1.0, 0.999, 0.998, 0.98):
    x, y = 1.0, 0.0
    for _ in range(400):
        x, y = factor * (x - 0.05 * y), factor * (y + 0.05 * x)
    print(f"{factor}: {np.hypot(x, y):.4f}")
assert np.hypot(x, y) < 0.01

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# Each step grows the distance by √(1 + 0.05²) = 1.00125, so any factor below 1 / 1.00125 = 0.99875 wins in the end.
#
# </details>
#
# ## Can you answer these?
#
# <details><summary>Why does one good picture not rule out mode collapse?</summary>
#
# It may be the only one.
#
# </details>
#
# <details><summary>Which failures does no loss show?</summary>
#
# Dropped classes, memorised images, negatives, a collapse that fools the discriminator.
#
# </details>
#
# <details><summary>What do you check before the first step?</summary>
#
# Shapes, ranges, labels, whether the batches are shuffled.
#
# </details>
#
# For all rules of the doctor, with their thresholds and how often they are wrong, see [the
# doctor](../../docs/doctor.md).

# %% [markdown] lang="zh" of="47897afd"
# <details><summary>答案</summary>
#
# 每走一步，距离变成原来的 √(1 + 0.05²) = 1.00125 倍，所以只要因子小于 1 / 1.00125 = 0.99875，最后总能收住。
#
# </details>
#
# ## 自测
#
# <details><summary>为什么一张好图排除不了模式崩溃？</summary>
#
# 它可能是唯一的一张。
#
# </details>
#
# <details><summary>哪些失败在任何损失里都看不出来？</summary>
#
# 丢掉的类别、背下来的图、反相、骗得过判别器的模式崩溃。
#
# </details>
#
# <details><summary>第一步之前要检查什么？</summary>
#
# 形状、范围、标签，还有每批的图是否打乱过。
#
# </details>
#
# 医生的全部规则、阈值和误诊率，见[医生](../../docs/doctor.md)（英文）。
