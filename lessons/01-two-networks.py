# %% [markdown] lang="en"
# # 1 · Two networks and a game
#
# One network draws handwritten digits. It has never seen one. A second network looks at digits, real ones and drawn
# ones, and says which are which. The first learns only from the second's answers. That is a *generative adversarial
# network*, a GAN ([Goodfellow et al. 2014](https://arxiv.org/abs/1406.2661)).
#
# ![From random numbers z the generator G draws an image; the discriminator D sees this and a real image from MNIST, and
# gives each a number from 0 to 1](../../docs/pictures/game.png)
#
# The generator G turns random numbers z into an image. The discriminator D gets such an image or a real one, and
# answers with a number between 0 (generated) and 1 (real). Everything that the generator ever learns travels along the
# orange arrows: how each pixel should change so that D says "real" more readily.
#
# In this lesson you meet both networks: what goes in, what comes out, and what each layer is for. Neither is trained
# before the last section. You need a quarter of an hour, some Python, and school mathematics: derivatives, vectors,
# logarithms, the normal distribution with its bell curve. The lesson explains what a neural network is. Install inkgan,
# which brings PyTorch with it: run `pip install '.[lessons]'` in its folder. (`make lessons` does that too, and then
# opens the lessons.) The [glossary](../../lessons/glossary.md) says which lesson explains each term. If you run the
# lessons, some of your figures will differ from those in the text: processors round differently, and training magnifies
# that.

# %% [markdown] lang="zh" of="6646c471"
# # 1 · 两个网络，一场博弈
#
# 一个网络画手写数字，但它从没见过数字长什么样。另一个网络看图，有真的，也有画出来的，它要说出哪张是真、哪张是假。
# 画图的网络学到的一切，都来自看图的网络给出的回答。这就是**生成对抗网络**（generative adversarial network，GAN；[Goodfellow 等 2014](https://arxiv.org/abs/1406.2661)）。
#
# ![生成器 G 把随机数 z 画成图；判别器 D 看这张图，也看 MNIST 里的真图，给每张图一个 0 到 1 之间的数](../../docs/pictures/game.png)
#
# 生成器 G 把随机数 z 变成一张图。判别器 D 拿到这样的图或者真图，回答一个 0 到 1 之间的数：0 是“生成的”，1 是“真的”。
# 生成器学到的一切，都沿着橙色箭头传回来：每个像素该怎么改，D 才更肯说“真”。
#
# 这一课先认识这两个网络：输入是什么，输出是什么，每一层有什么用。在最后一节之前，它们都没有训练过。
# 准备好一刻钟、一点 Python，还有高中数学的底子：导数、向量、对数、正态分布。神经网络是什么，这一课会讲。先装好 inkgan（PyTorch 会一起装上）：在它的文件夹里运行 `pip install '.[lessons]'`，或者直接用 `make lessons`，装好之后就打开课程。[术语表](../../lessons/glossary.md)列出每个术语在哪一课讲，也有中英对照。课文里链接的其他文档大多是英文的。自己运行时，有些数会和课文里的不一样：处理器不同，舍入就不同，训练又会把差别放大。

# %% [markdown] lang="en"
# ## What is a real image to a network?
#
# MNIST, by Yann LeCun and Corinna Cortes, has 70,000 handwritten digits, and they come with inkgan: 55,000 to learn
# from, and 15,000 that stay out of sight until we measure. How many numbers make up one digit?

# %% [markdown] lang="zh" of="f0c3901a"
# ## 在网络眼里，一张真图是什么？
#
# MNIST 是 Yann LeCun 和 Corinna Cortes 整理的数据集，有 70,000 张手写数字，inkgan 自带：
# 55,000 张用来学习，另外 15,000 张先收起来，评估时才用。
# 先猜一猜：一张图里有多少个数？

# %%
import torch
from torch import nn
from torch.nn import functional as F

from inkgan.data import load
from inkgan.images import sheet, to_uint8

torch.manual_seed(0)  # the same random numbers each time
mnist = load("mnist")
print("training images:", mnist.train.images.shape, mnist.train.images.dtype)
sheet(mnist.train.images[:20], columns=10, scale=2)

# %% [markdown] lang="en"
# 28 rows, 28 columns, 1 channel: 784 numbers. In inkgan, 0 is paper and 255 is ink; the picture above shows ink dark, as
# on paper. Networks like small numbers, so we divide by 255. PyTorch computes with *tensors*: arrays like NumPy's that
# can also remember how they were computed. It wants the channel before rows and columns: [number of images, channels,
# rows, columns].

# %% [markdown] lang="zh" of="0f04a07d"
# 28 行、28 列、1 个通道，一共 784 个数。inkgan 里 0 是白纸，255 是墨；上面的图按习惯画成白纸黑字。
# 网络喜欢小一点的数，所以我们除以 255。PyTorch 用**张量**（tensor）来计算：它像 NumPy 的数组，还能记住自己是怎样算出来的。通道要放在行和列前面：[图像数，通道，行，列]。

# %%
real = torch.tensor(mnist.train.images[:50]).permute(0, 3, 1, 2) / 255
print("shape:", list(real.shape), " smallest:", real.min().item(), " largest:", real.max().item())
print("share of pixels without any ink:", round((real == 0).float().mean().item(), 2))
assert real[0].numel() == 784

# %% [markdown] lang="en"
# ## Networks in five minutes
#
# Skip this section if you have trained a network before. A **network** is a function with many numbers that can be
# adjusted, its **weights**. It is made of **layers**; each works on the output of the one before it. Four kinds are
# enough here:
#
# * A **fully connected layer** (`Linear`) makes each output a weighted sum of all inputs, plus a constant, the *bias*.
# * A **convolution** (`Conv2d`) moves a small square of weights, the *kernel*, over the image. At each place it takes
#   the weighted sum of the pixels below, plus a bias. What one kernel returns for the whole image is called a *map*. If
#   several maps come in, the kernel has one square for each of them, and the sums are added up.
# * **ReLU** replaces negative numbers by 0. Without it, two fully connected layers could do no more than one: a
#   weighted sum of weighted sums is a weighted sum. A function like this one, which changes each number on its own, is
#   called an *activation function*.
# * **Pooling** makes a map smaller. Here it replaces each block of 2×2 by its mean.
#
# How does a network learn? The **loss** is a number that says how wrong its answers are. The **gradient** is the
# derivative of the loss with respect to each weight: how fast the loss rises if this weight grows. So move all weights
# a little the other way, and repeat with other images: that is *gradient descent*. The **learning rate** says how long
# such a step is. PyTorch computes the gradient by *backpropagation*: it goes from the loss back through all layers, one
# after the other, by the chain rule. One call of `backward` does it. An **optimiser** takes the step. The simplest one
# subtracts from each weight the learning rate times its gradient. In PyTorch it is called `SGD`, *stochastic gradient
# descent*: stochastic, because each step sees other images, drawn at random.
#
# Here is the whole procedure for a single weight w: for which w is 3·w = 6? The loss is the squared error, (3·w − 6)².

# %% [markdown] lang="zh" of="9f861a5d"
# ## 五分钟认识神经网络
#
# 训练过神经网络的话，可以跳过这一节。**网络**是一个函数，里面有许多可以调节的数，叫作**权重**。网络由若干**层**组成，每一层拿前一层的输出接着算。这里只用得到四种：
#
# * **全连接层**（`Linear`）：每个输出都是全部输入的加权和，再加一个常数，叫**偏置**（bias）。
# * **卷积**（`Conv2d`）：一小块权重，叫**卷积核**（kernel），在图上一格一格地移动，每到一处，就算出它盖住的那些像素的加权和，再加一个偏置。一个卷积核扫过整张图，得到的一张图叫作**特征图**（feature map）。如果输入有好几张特征图，卷积核就给每张各备一块权重，算出的和再加在一起。
# * **ReLU**：把负数换成 0。没有它，两个全连接层只抵得上一个，因为加权和的加权和还是加权和。像这样逐个改变每个数的函数，叫作**激活函数**（activation function）。
# * **池化**（pooling）：把特征图缩小，这里是把每个 2×2 的小块换成平均值。
#
# 网络怎样学习？**损失**（loss）是一个数，说明它的回答错得有多厉害。**梯度**（gradient）是损失对每个权重的导数，也就是这个权重变大时损失涨得有多快。
# 那就把所有权重都朝相反的方向挪一小步，再换一批图，如此反复，这就是**梯度下降**（gradient descent）。一步有多长，由**学习率**（learning rate）决定。PyTorch 用**反向传播**（backpropagation）求梯度：从损失出发，按链式法则一层一层往回算，调用一次 `backward` 就行。**优化器**（optimizer）负责走这一步。最简单的一种，是从每个权重里减去“学习率 × 它的梯度”，在 PyTorch 里叫 `SGD`，即随机梯度下降：每一步看的图都是随机抽的，所以叫“随机”。
#
# 下面只用一个权重 w，把全过程演示一遍：w 是多少时，3·w 等于 6？损失就是误差的平方，(3·w − 6)²。

# %%
w = torch.tensor(0.0, requires_grad=True)  # we want its gradient
optimizer = torch.optim.SGD([w], 0.05)  # 0.05 is the learning rate
for _ in range(5):
    loss = (3 * w - 6) ** 2
    optimizer.zero_grad()  # forget the last gradient
    loss.backward()  # compute the new one: the derivative 6 (3 w - 6)
    print(f"w = {w.item():.4f}   loss {loss.item():8.4f}   gradient {w.grad.item():9.4f}")
    optimizer.step()  # subtract 0.05 times the gradient from w
print(f"w = {w.item():.4f}")
assert abs(w.item() - 2) < 0.001

# %% [markdown] lang="en"
# Each step closes nine tenths of the remaining gap. The networks to come have millions of weights instead of one, and
# learn in the same way.
#
# ## The discriminator: from an image to one number
#
# The discriminator is a classifier with two classes, real and generated. What would you build? Probably this: two
# convolutions, each followed by a ReLU and a pooling layer, then two fully connected layers. This course grew from [a
# well-known Chinese tutorial](../../docs/tutorial.md), whose discriminator is just that.
#
# How does the shape change on the way? Guess before you run the cell. (`Sequential` runs its layers one after the
# other. *Padding*: `padding=2` puts two rows of zeros on each side of the image, so that a 5×5 kernel gives a map as
# large as the image. `Flatten` puts the numbers of all maps into one row.)

# %% [markdown] lang="zh" of="edf297db"
# 每走一步，和答案的差距都缩小到十分之一。后面的网络有几百万个权重，学习的方法是一样的。
#
# ## 判别器：从一张图到一个数
#
# 判别器（discriminator）就是一个二分类器，两类是“真”和“生成的”。让你来搭，会怎么搭？
# 多半是这样：两层卷积，每层后面跟 ReLU 和池化，再接两层全连接。本课程源自一篇有名的教程，《GAN入门教程｜从0开始，手把手教你学会最火的神经网络》，它的判别器正是这样搭的。（学过那篇教程的话，可以看[它的每一步现在在哪里](../../docs/tutorial.zh-CN.md)。）
#
# 数据的形状一路上怎么变？先猜，再运行。（`Sequential` 让数据依次通过各层。`padding=2` 是**填充**：在图的四周补两圈零，这样 5×5 的卷积核扫过之后，特征图和原来的图一样大。`Flatten` 把所有特征图里的数排成一行。）

# %%
discriminator = nn.Sequential(
    nn.Conv2d(1, 32, 5, padding=2),
    nn.ReLU(),
    nn.AvgPool2d(2),
    nn.Conv2d(32, 64, 5, padding=2),
    nn.ReLU(),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(7 * 7 * 64, 1024),
    nn.ReLU(),
    nn.Linear(1024, 1),
)


def show_shapes(network, x):
    print(f"{'input':12}", list(x.shape))
    for layer in network:
        x = layer(x)
        print(f"{type(layer).__name__:12}", list(x.shape))


show_shapes(discriminator, real)

# %% [markdown] lang="en"
# 50 images went in at once, a *batch*, and 50 numbers came out. Such a number is called a **logit**. It can be anything
# from −∞ to ∞: above 0 means "looks real", below 0 means "looks generated". The sigmoid σ(l) = 1 / (1 + e^−l) turns a
# logit l into a probability between 0 and 1.
#
# A network's weights begin as small random numbers. Here they come from a bell curve that is cut off at two standard
# deviations, a *truncated normal distribution*; the biases begin at 0. What does a discriminator say before it has
# learned anything?

# %% [markdown] lang="zh" of="711a9e1e"
# 一次进去 50 张图，叫作一**批**（batch），出来 50 个数。这种数叫 **logit**（对数几率）。它可以是 −∞ 到 ∞ 之间的任何数：大于 0 表示“像真的”，
# 小于 0 表示“像生成的”。用 sigmoid 函数 σ(l) = 1 / (1 + e^−l) 一变，logit l 就成了 0 到 1 之间的概率。
#
# 训练之前，权重是一些很小的随机数。这里取自**截断正态分布**（truncated normal distribution），也就是把两个标准差以外的部分截掉的正态分布；偏置从 0 开始。
# 一个什么都没学过的判别器，会怎么说？

# %%
for layer in discriminator:
    if isinstance(layer, nn.Conv2d | nn.Linear):  # small random weights, as the tutorial has them
        nn.init.trunc_normal_(layer.weight, std=0.02, a=-0.04, b=0.04)
        nn.init.zeros_(layer.bias)
logits = discriminator(real).squeeze(1)
print("logits:", [round(x, 4) for x in logits[:5].tolist()])
print("probability of being real:", [round(x, 3) for x in torch.sigmoid(logits[:5]).tolist()])
assert (torch.sigmoid(logits) - 0.5).abs().max() < 0.01

# %% [markdown] lang="en"
# One half, each time. It shrugs.
#
# ## Why convolutions?
#
# The first layer could be fully connected too. How many weights would that take, for the same output of 32 maps of
# 28×28?

# %% [markdown] lang="zh" of="4dba6dcd"
# 张张都是二分之一：它只会耸耸肩，说“不知道”。
#
# ## 为什么用卷积？
#
# 第一层也可以用全连接。如果输出还是 32 张 28×28 的特征图，需要多少个权重？

# %%
convolution = discriminator[0]
by_convolution = convolution.weight.numel() + convolution.bias.numel()
fully_connected = (28 * 28) * (28 * 28 * 32)
print(f"convolution: {by_convolution:,} numbers    fully connected: {fully_connected:,}")
assert by_convolution == 832
assert fully_connected == 19_668_992

# %% [markdown] lang="en"
# Nearly twenty million against 832: 32 kernels with 25 weights and a bias each. A convolution looks for the same 5×5
# pattern everywhere, so it needs to learn it only once. And if a digit moves, what happens to the maps? They move with
# it. Here are an image and one of its maps, and below them the same for the image shifted by 4 pixels.

# %% [markdown] lang="zh" of="cacfbe9f"
# 全连接要将近两千万个，卷积只要 832 个：32 个卷积核，各有 25 个权重和一个偏置。卷积核在图上每个位置找同一个 5×5 的图案，所以只要学一次就够了。
# 如果数字挪了位置，特征图会怎么样？跟着挪。下面上排是一张图和它的一张特征图，下排是把图平移 4 个像素之后的结果。

# %%
image = real[:1]
shifted = torch.roll(image, 4, dims=3)
maps, maps_of_shifted = convolution(image), convolution(shifted)
inside = slice(6, -6)  # near the edge the two differ: a convolution sees zeros beyond it
same = torch.allclose(torch.roll(maps, 4, 3)[..., inside], maps_of_shifted[..., inside], atol=1e-6)


def stretched(x):  # to 0..1, to be looked at
    return (x - x.min()) / (x.max() - x.min())


rows = [image[0], stretched(maps[0, :1]), shifted[0], stretched(maps_of_shifted[0, :1])]
sheet(to_uint8(torch.stack(rows).permute(0, 2, 3, 1).detach().numpy()), columns=2, scale=3)

# %%
assert same

# %% [markdown] lang="en"
# ## Why pooling?
#
# Pooling takes the mean of each 2×2 block. The maps shrink to a quarter of their size, which saves work. Pooling also
# makes the network less sensitive to small shifts. Does it really? Shift images by one pixel and compare, before and
# after two poolings. (Take all pixels as one vector: the change is the length of the difference, divided by the length
# of the original.)

# %% [markdown] lang="zh" of="bb738840"
# ## 为什么要池化？
#
# 平均池化把每个 2×2 的小块换成平均值。特征图的面积缩小到四分之一，计算也省了；同时，网络对小小的平移就不那么敏感了。
# 真是这样吗？把图平移一个像素，比较池化两次前后的变化。（把所有像素看成一个向量，变化就是差的长度与原来长度之比。）


# %%
def change(before, after):
    return ((before - after).norm() / before.norm()).item()


moved = torch.roll(real, 1, dims=3)
pooled, pooled_moved = (F.avg_pool2d(F.avg_pool2d(x, 2), 2) for x in (real, moved))
print(f"change by one pixel: {change(real, moved):.2f} of the image, {change(pooled, pooled_moved):.2f} after pooling")
sheet(to_uint8(pooled[:10].permute(0, 2, 3, 1).numpy()), columns=10, scale=6)

# %%
assert change(pooled, pooled_moved) < 0.6 * change(real, moved)

# %% [markdown] lang="en"
# At 7×7 pixels you can still guess most digits. That is about what the fully connected layers get to see, only with 64
# maps instead of one.
#
# ## The generator: from noise to an image
#
# The generator goes the other way. It gets 100 random numbers, the **latent**, and must return 784 pixels. (The numbers
# come from a bell curve with mean 0 and standard deviation 1.) Different numbers give a different image. What should
# the first layer do?

# %% [markdown] lang="zh" of="6da4e37d"
# 缩到 7×7 像素，大多数数字还猜得出来。全连接层看到的大致就是这样的图，只不过不是一张，而是 64 张。
#
# ## 生成器：从噪声到一张图
#
# 生成器（generator）反过来走：给它 100 个随机数，也就是**隐变量**（latent），它要交出 784 个像素。（这些数取自标准正态分布，均值是 0，标准差是 1。）隐变量不同，图也不同。
# 第一层该做什么？

# %%
generator = nn.Sequential(
    nn.Linear(100, 56 * 56),
    nn.Unflatten(1, (1, 56, 56)),
    nn.BatchNorm2d(1),
    nn.ReLU(),
    nn.Conv2d(1, 50, 3, stride=2, padding=1),
    nn.BatchNorm2d(50),
    nn.ReLU(),
    nn.Upsample(size=56, mode="bilinear"),
    nn.Conv2d(50, 25, 3, stride=2, padding=1),
    nn.BatchNorm2d(25),
    nn.ReLU(),
    nn.Upsample(size=56, mode="bilinear"),
    nn.Conv2d(25, 1, 1, stride=2),
    nn.Sigmoid(),
)
latents = torch.randn(50, 100)
show_shapes(generator, latents)

# %% [markdown] lang="en"
# A fully connected layer makes 3,136 numbers out of the 100, and `Unflatten` arranges them as a map of 56×56. Three
# convolutions turn it into 50 maps, 25 maps, and one image. Each has *stride* 2: its kernel moves on by two pixels at a
# time, which halves the map's width and height. In between, `Upsample` doubles them again by interpolation: each new
# pixel is a weighted mean of its neighbours. (The tutorial chose maps that are larger than the image; lesson 6 counts
# what that costs.) Now the picture that everybody wants to see: what
# does a generator draw before it has learned anything? (Inside `torch.no_grad()` PyTorch keeps no record for a
# gradient, since nothing learns here.)

# %% [markdown] lang="zh" of="bcb84606"
# 全连接层把 100 个数变成 3,136 个，`Unflatten` 把它们排成一张 56×56 的图，三层卷积再把它依次变成 50 张、25 张特征图，最后变成一张图像。
# 每层卷积的**步幅**（stride）都是 2，也就是卷积核每次移动两格，所以特征图的边长减半，中间再用 `Upsample` 放大一倍：新的像素用插值得到，也就是取相邻像素的加权平均。（特征图比图像还大，这是原教程的选择，代价有多大，第 6 课会算。）
# 大家都想看的是：什么都没学过的生成器，画出来是什么样？（写在 `torch.no_grad()` 里，PyTorch 就不为求梯度做记录，因为这里谁也不学习。）

# %%
for layer in generator:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(layer.weight, std=0.02, a=-0.04, b=0.04)
with torch.no_grad():
    fake = generator(latents)
print("smallest pixel:", round(fake.min().item(), 2), " largest:", round(fake.max().item(), 2))
sheet(to_uint8(fake[:10].permute(0, 2, 3, 1).numpy()), columns=10, scale=2)

# %%
assert fake.shape == real.shape
assert 0.3 < fake.mean() < 0.7

# %% [markdown] lang="en"
# Grey fog: every pixel is near one half. The sigmoid at the end keeps pixels between 0 and 1, whatever the layers
# before it say. Real images have the same range. If the two ranges differed, the discriminator could tell real from
# generated images by that alone, and its gradient would say little about digits (failure number 6 of lesson 4).
#
# ## Why batch normalisation?
#
# The weights are small, so each layer shrinks its input. Batch normalisation ([Ioffe and Szegedy
# 2015](https://arxiv.org/abs/1502.03167)) shifts and scales every channel, that is, every map, so that it has mean 0
# and standard deviation 1 over the whole batch. (Then it multiplies the channel by a learned scale and adds a learned
# offset.) What would we see without it?

# %% [markdown] lang="zh" of="e933f28b"
# 一片灰雾：每个像素都在二分之一左右。无论前面各层算出什么，最后的 sigmoid 都让像素落在 0 和 1 之间，真图的范围也是如此。
# 如果两者范围不同，判别器光看范围就能分出真假，它的梯度里就几乎没有关于数字的信息了（第 4 课的第 6 种失败）。
#
# ## 为什么要批归一化？
#
# 权重很小，所以每过一层，信号就缩小一截。批归一化（batch normalization，[Ioffe 和 Szegedy 2015](https://arxiv.org/abs/1502.03167)）把每个通道（也就是每张特征图）平移、缩放，让它在整批图上的均值回到 0、标准差回到 1。（之后再乘一个学来的缩放系数，加一个学来的偏移。）去掉它会怎样？

# %%
without = nn.Sequential(*[layer for layer in generator if not isinstance(layer, nn.BatchNorm2d)])
with torch.no_grad():
    plain = without(latents)
spread, spread_plain = (x.std(dim=0).mean().item() for x in (fake, plain))
print(f"how much a pixel differs from latent to latent: {spread:.5f} with normalisation, {spread_plain:.7f} without")
both = torch.cat([stretched(fake[:10]), (plain[:10] - plain.mean()) / (fake.max() - fake.min()) + 0.5])
sheet(to_uint8(both.permute(0, 2, 3, 1).numpy()), columns=10, scale=2)

# %%
assert spread_plain < spread / 100

# %% [markdown] lang="en"
# The upper row is with normalisation, the lower one without, both drawn with the same contrast. Without it, all latents
# give the same flat grey: the signal has died on the way, and so would the gradient.
#
# ## What is a "deconvolution"?
#
# The tutorial calls this network a deconvolutional one. Look at the shapes again: is any layer the reverse of a
# convolution? No. Its code enlarges a map by interpolation (`Upsample`) and then convolves as usual.
#
# Other generators use a *transposed* convolution. That name is honest: a convolution multiplies all pixels, taken as
# one vector, by a matrix, and the transposed convolution multiplies by the transposed matrix. It does not undo
# anything, either. (An ordinary convolution gathers: each pixel of the output is a weighted sum of what lies below the
# kernel. A transposed one works like a stamp: each pixel of the input prints the kernel, times its own value, onto the
# output.) The same numbers come out if you put zeros between the pixels and then convolve as usual, with the kernel
# mirrored in both directions by `flip`: what a stamp prints to the right of a pixel, a kernel that gathers finds on its
# left. See for yourself.

# %% [markdown] lang="zh" of="8f0bc93b"
# 上排有归一化，下排没有，两排用同样的对比度来画。没有归一化，所有隐变量都得到同一片灰：信号半路上就消失了，梯度也会跟着消失。
#
# ## “反卷积”到底是什么？
#
# 那篇教程把这个网络叫作反卷积（deconvolution）网络。再看看上面的形状：有哪一层是卷积的逆运算吗？没有。
# 它的代码先用插值（`Upsample`）把特征图放大，再做普通的卷积。
#
# 别的生成器会用**转置卷积**（transposed convolution），这个名字倒是名副其实：把所有像素排成一个向量，卷积就是用一个矩阵去乘它，转置卷积乘的则是转置之后的矩阵。它同样不能把卷积还原。
# （普通卷积是“收”：输出的每个像素，是卷积核盖住的那些像素的加权和。转置卷积像“盖章”：输入的每个像素把卷积核乘上自己的值，印到输出上。）
# 换个算法，结果相同：先在像素之间插入零，再用上下左右都翻过来的卷积核（`flip`）做普通的卷积。为什么要翻？盖章时印在右边的，到了“收”的时候，要从左边收来。我们来验证。

# %%
small = torch.rand(1, 1, 7, 7)
kernel = torch.rand(1, 1, 3, 3)
transposed = F.conv_transpose2d(small, kernel, stride=2)
between = torch.zeros(1, 1, 13, 13)
between[..., ::2, ::2] = small  # zeros between the pixels
by_hand = F.conv2d(between, kernel.flip(2, 3), padding=2)
print("largest difference:", (transposed - by_hand).abs().max().item())
assert torch.allclose(transposed, by_hand, atol=1e-6)

# %% [markdown] lang="en"
# Which of the two draws more smoothly? Give both a map of equal pixels. The transposed convolution gets a kernel of
# ones, the ordinary one a kernel of quarters, so that both come out about equally dark. (We enlarge to 17 first,
# because a 3×3 kernel turns 17 into 15.)

# %% [markdown] lang="zh" of="f42db3b4"
# 两种做法，哪一种画得更平滑？给两者同一张图，所有像素都相等。转置卷积的核全是 1，普通卷积的核全是 1/4，这样两边的深浅差不多。（先放大到 17，是因为 3×3 的核会把 17 变成 15。）

# %%
flat, ones = torch.ones(1, 1, 8, 8), torch.ones(1, 1, 3, 3)
checkered = F.conv_transpose2d(flat, ones, stride=2)[..., 1:-1, 1:-1]  # 15 × 15
smooth = F.conv2d(F.interpolate(flat, 17, mode="bilinear"), ones / 4)  # 15 × 15
print("transposed:", checkered.unique().tolist(), "  enlarged, then convolved:", smooth.unique().tolist())
pictures = torch.cat([checkered / 4, smooth / 4]).permute(0, 2, 3, 1)
sheet(to_uint8(pictures.numpy()), columns=2, scale=10)

# %%
assert checkered.unique().tolist() == [1, 2, 4]
assert smooth.std() < 1e-6

# %% [markdown] lang="en"
# The transposed convolution draws a chequered pattern, because its stamps overlap: some pixels are printed four times,
# others once. A generator has to unlearn that first. Enlarging first avoids it ([Odena et al.
# 2016](https://distill.pub/2016/deconv-checkerboard/)).
#
# ## The game
#
# Now let the discriminator play alone for a moment. The generator stays as it is. The discriminator gets 50 real and 50
# generated images per step, the answers 1 and 0, and learns like any classifier. (Its loss is cross-entropy, its
# optimiser is called Adam; lesson 2 explains both.) How many steps will it need?

# %% [markdown] lang="zh" of="d3f68ffa"
# 转置卷积画出了棋盘格：印出来的块互相重叠，有的像素印了四次，有的只印一次。生成器得先花力气忘掉这个花纹。先放大再卷积，就没有这个问题（[Odena 等 2016](https://distill.pub/2016/deconv-checkerboard/)）。
#
# ## 博弈
#
# 现在让判别器自己先练一会儿，生成器不动。每一步给判别器 50 张真图和 50 张生成的图，答案分别是 1 和 0；它像普通分类器一样学。
# （损失是交叉熵，优化器叫 Adam，第 2 课都会讲。）它需要多少步？

# %% short=["STEPS = 30", "STEPS = 3"]
STEPS = 30
optimizer = torch.optim.Adam(discriminator.parameters(), 3e-4)
images = torch.tensor(mnist.train.images[: 50 * STEPS]).permute(0, 3, 1, 2) / 255
course_real, course_fake = [], []
for step in range(STEPS):
    batch = images[50 * step : 50 * step + 50]
    with torch.no_grad():
        fake = generator(torch.randn(50, 100))
    logits_real, logits_fake = discriminator(batch), discriminator(fake)
    answers = torch.cat([torch.ones(50, 1), torch.zeros(50, 1)])
    loss = F.binary_cross_entropy_with_logits(torch.cat([logits_real, logits_fake]), answers)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    course_real.append(torch.sigmoid(logits_real).mean().item())
    course_fake.append(torch.sigmoid(logits_fake).mean().item())

# %%
from inkgan.images import curves

print(f"probability of being real, at the end: real images {course_real[-1]:.3f}, generated ones {course_fake[-1]:.3f}")
curves(course_real, course_fake, limits=(0, 1), across=(1, STEPS))

# %% full=true
assert course_real[20] > 0.9
assert course_fake[20] < 0.1

# %% [markdown] lang="en"
# The steps run from left to right. The height is the mean probability of being real that the discriminator gives: in
# blue to real images, in orange to generated ones. After twenty steps or so, it is hardly ever wrong. That was easy:
# fog against digits.
#
# Now it would be the generator's turn: change its weights so that the discriminator says "real" to its images. Then the
# discriminator learns the new tricks, and so on. That is the game. Nobody ever shows the generator a digit; all it gets
# is the gradient that flows back through the discriminator. (That is the chain rule: the loss depends on the logit, the
# logit on the pixels, and the pixels on the generator's weights.) Lesson 2 is about that gradient.
#
# Do you want to see the whole game first? `inkgan export best -o page.html` (in a notebook: `inkgan.export("best",
# "page.html")`) makes a web page; `best` is a trained model that comes with inkgan. Open the page in a browser, choose
# *Learn*, press *Run*, and watch a GAN learn from scratch. Digits appear within minutes.
#
# <!-- play: learn -->
#
# ## Exercises
#
# Try each before you unfold its solution, and the answer below it.
#
# **1.** Which layer of the discriminator has the most weights, and what share of the total is that? Guess first.

# %% [markdown] lang="zh" of="bf6d494a"
# 横轴是步数，纵轴是判别器给出的“为真”的平均概率：蓝线是给真图的，橙线是给生成的图的。二十来步之后，它就几乎不出错了。
# 这太容易了：一边是雾，一边是数字。
#
# 接下来轮到生成器：改变自己的权重，让判别器对它的图说“真”。然后判别器学会识破新花招，如此往复，这就是博弈。
# 从头到尾没有人给生成器看过一个数字，它得到的只有穿过判别器传回来的梯度。（这就是链式法则：损失取决于 logit，logit 取决于像素，像素又取决于生成器的权重。）第 2 课就讲这个梯度。
#
# 想先看看整场博弈？`inkgan export best -o page.html`（在 notebook 里用 `inkgan.export("best", "page.html")`）会做出一个网页，`best` 是 inkgan 自带的模型，已经训练好了。
# 用浏览器打开网页，选“学习过程”，按“运行”，就能看着一个 GAN 从零学起，几分钟就有数字的样子。
#
# <!-- play: learn -->
#
# ## 练习
#
# 每题先自己试，再展开参考代码和下面的答案。
#
# **1.** 判别器的哪一层权重最多？占总数的百分之几？先猜。

# %% solution=true
counts = {i: sum(p.numel() for p in layer.parameters()) for i, layer in enumerate(discriminator)}
largest = max(counts, key=counts.get)
total = sum(counts.values())
print(f"layer {largest}, {discriminator[largest]}: {counts[largest]:,} of {total:,} = {counts[largest] / total:.1%}")
assert total == 3_265_409
assert counts[largest] / total > 0.98

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# The first fully connected layer has 98 % of them: 7 · 7 · 64 = 3,136 numbers come in, so each of its 1,024 outputs has
# 3,136 weights and a bias. This discriminator is mostly one big matrix.
#
# </details>
#
# **2.** Draw the same latent twice: once among the first 50 latents, once among other ones. Is it the same image? Why?

# %% [markdown] lang="zh" of="10a216c6"
# <details><summary>答案</summary>
#
# 第一个全连接层占了 98%：输入有 7 · 7 · 64 = 3,136 个数，所以 1,024 个输出各有 3,136 个权重和一个偏置。这个判别器基本上就是一个大矩阵。
#
# </details>
#
# **2.** 把同一个隐变量画两次：一次在原来的 50 个当中，一次换到另外一批里。画出来一样吗？为什么？

# %% solution=true
others = torch.randn(50, 100)
others[0] = latents[0]
with torch.no_grad():
    first, second = generator(latents)[0], generator(others)[0]
print("largest difference of a pixel:", round((first - second).abs().max().item(), 4))
assert not torch.allclose(first, second, atol=1e-4)

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# No. Batch normalisation uses the mean and the standard deviation of the *batch*, so an image depends on its
# neighbours. The difference is tiny here, because an untrained generator draws nearly the same fog for every latent; in
# lesson 4 you will see it grow. The original tutorial draws like this to the end. `inkgan sample` uses fixed statistics
# instead, a mean and a deviation that were measured once over many latents, and newer generators do without batch
# normalisation.
#
# </details>
#
# **3.** The discriminator has learned. What does it think of a digit with paper and ink exchanged? Of a blank page?

# %% [markdown] lang="zh" of="0922b4b3"
# <details><summary>答案</summary>
#
# 不一样。批归一化用的是**这一批**的均值和标准差，所以每张图都受同批邻居的影响。这里差别极小，因为没训练过的生成器不管拿到什么隐变量，画的几乎是同一片雾；到第 4 课你会看到差别变大。原教程自始至终都这样画。`inkgan sample` 改用固定的统计量，也就是事先用许多隐变量量好、存下来的均值和标准差；较新的生成器则干脆不用批归一化。
#
# </details>
#
# **3.** 判别器已经学过一点了。把墨和纸对调的数字，它怎么看？一张白纸呢？

# %% solution=true
strange = torch.cat([real[:1], 1 - real[:1], torch.zeros(1, 1, 28, 28)])
with torch.no_grad():
    opinions = torch.sigmoid(discriminator(strange)).squeeze(1)
for name, opinion in zip(["a digit", "exchanged", "blank"], opinions.tolist(), strict=True):
    print(f"{name}: {opinion:.3f}")
sheet(to_uint8(strange.permute(0, 2, 3, 1).numpy()), columns=3, scale=3)

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# It knows fog and it knows digits. For everything else its answer is an accident: it never had to learn "this is a
# digit", only "this is not fog". A discriminator is only as good as the fakes it has met. That is why both networks
# must grow together.
#
# </details>
#
# ## Can you answer these?
#
# <details><summary>Why does the generator need random input at all?</summary>
#
# Without it, it could draw only one image.
#
# </details>
#
# <details><summary>What would the discriminator's best answer be if generated images were perfect?</summary>
#
# One half, for every image.
#
# </details>
#
# <details><summary>Why must the pixels of real and generated images have the same range?</summary>
#
# Otherwise the range gives the generated ones away.
#
# </details>

# %% [markdown] lang="zh" of="ab7567eb"
# <details><summary>答案</summary>
#
# 它认得雾，也认得数字。对别的东西，它的回答全凭偶然：它从来不需要学“这是数字”，只需要学“这不是雾”。
# 判别器有多高明，取决于它见过多高明的假货。所以两个网络必须一起成长。
#
# </details>
#
# ## 自测
#
# <details><summary>生成器为什么一定要随机输入？</summary>
#
# 没有的话，它只能画出一张图。
#
# </details>
#
# <details><summary>如果生成的图完美无缺，判别器最好的回答是什么？</summary>
#
# 对每张图都说二分之一。
#
# </details>
#
# <details><summary>真图和生成的图，像素范围为什么必须一致？</summary>
#
# 不一致的话，光看范围就露馅了。
#
# </details>
